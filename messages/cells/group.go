package cells

import (
	"encoding/binary"
	"fmt"
)

// Group is a tuple of group keys in canonical form: for each element a 0 if the label is missing,
// else its length plus one as uvarint and its bytes. "" is the empty tuple. Equal tuples have equal
// strings, and no label value can forge a separator.
type Group string

// Overflow is the group that collects the keys beyond max_groups. No tuple of labels equals it,
// because 0xff alone is not a uvarint.
const Overflow Group = "\xff"

// AppendGroupKey appends one element of the tuple; present is false for a missing label.
func AppendGroupKey(b []byte, key string, present bool) []byte {
	if !present {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(key))+1)
	return append(b, key...)
}

// GroupKey is one element of a group.
type GroupKey struct {
	Key     string
	Present bool
}

// Keys splits the tuple into its elements. It returns an error for Overflow and for bytes that
// AppendGroupKey did not write.
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

// uvarint is binary.Uvarint for a string, without a copy.
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
