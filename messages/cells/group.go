package cells

import (
	"encoding/binary"
	"fmt"
)

// Group is a tuple of group keys in canonical form: for each place 0 where the label is missing,
// else its length plus one as uvarint and its bytes. "" is the empty tuple. Equal groups have equal
// strings, and no separator can be forged.
type Group string

// Overflow is the group of the keys beyond max_groups: a group of its own kind, which no tuple of
// labels equals (0xff alone is no uvarint).
const Overflow Group = "\xff"

// AppendGroupKey appends one place of the tuple; present false is a missing label.
func AppendGroupKey(b []byte, key string, present bool) []byte {
	if !present {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(key))+1)
	return append(b, key...)
}

// GroupKey is one place of a group.
type GroupKey struct {
	Key     string
	Present bool
}

// Keys takes the tuple apart. It errs on bytes that AppendGroupKey did not write, and on Overflow.
func (g Group) Keys() ([]GroupKey, error) {
	var keys []GroupKey
	for s := string(g); s != ""; {
		n, size := uvarint(s)
		if size <= 0 || n > uint64(len(s)-size)+1 {
			return nil, fmt.Errorf("group %q is not canonical", string(g))
		}
		s = s[size:]
		if n == 0 {
			keys = append(keys, GroupKey{})
			continue
		}
		keys = append(keys, GroupKey{s[:n-1], true})
		s = s[n-1:]
	}
	return keys, nil
}

// uvarint is binary.Uvarint over a string, without a copy.
func uvarint(s string) (n uint64, size int) {
	var shift uint
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		c := s[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n, i + 1
		}
		shift += 7
	}
	return 0, 0
}
