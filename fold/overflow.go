package fold

import (
	"encoding/binary"
	"slices"

	"github.com/axiomhq/hyperloglog"
	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/fold/codec"
)

// maxExactKeys is the number of overflowed keys that are counted exactly.
const maxExactKeys = 1024

// overflowKeys counts the distinct keys that went to a panel's overflow group: exactly up to
// maxExactKeys, then with a dense HyperLogLog, whose registers do not depend on the order of the
// keys.
type overflowKeys struct {
	exact  map[uint64]struct{}
	sketch *hyperloglog.Sketch
}

func newOverflowKeys() *overflowKeys { return &overflowKeys{exact: map[uint64]struct{}{}} }

func (k *overflowKeys) add(key []byte) { k.addHash(xxh3.Hash(key)) }

func (k *overflowKeys) addHash(hash uint64) {
	if k.sketch != nil {
		k.sketch.InsertHash(hash)
		return
	}
	if k.exact[hash] = struct{}{}; len(k.exact) <= maxExactKeys {
		return
	}
	k.sketch = hyperloglog.NewNoSparse()
	for h := range k.exact {
		k.sketch.InsertHash(h)
	}
	k.exact = nil
}

func (k *overflowKeys) estimate() int64 {
	if k.sketch != nil {
		return int64(k.sketch.Estimate())
	}
	return int64(len(k.exact))
}

// append appends 0 and the sorted hashes, or 1 and the sketch.
func (k *overflowKeys) append(b []byte) []byte {
	if k.sketch != nil {
		text, err := k.sketch.MarshalBinary()
		if err != nil {
			panic(err) // only a sketch that was never created has no binary form
		}
		return codec.AppendString(append(b, 1), text)
	}
	hashes := make([]uint64, 0, len(k.exact))
	for h := range k.exact {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	b = binary.AppendUvarint(append(b, 0), uint64(len(hashes)))
	for _, h := range hashes {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

func readOverflowKeys(r *codec.Reader) *overflowKeys {
	k := newOverflowKeys()
	if r.Byte() == 0 {
		n := r.Count(8)
		r.Check(n <= maxExactKeys)
		for i := 0; i < n && !r.Failed; i++ {
			k.exact[r.Fixed()] = struct{}{}
		}
		return k
	}
	const header = 8
	text := r.Bytes()
	empty, err := hyperloglog.NewNoSparse().MarshalBinary()
	if err != nil || len(text) != len(empty) || string(text[:header]) != string(empty[:header]) {
		r.Fail()
		return k
	}
	k.sketch, k.exact = hyperloglog.NewNoSparse(), nil
	if err := k.sketch.UnmarshalBinary(text); err != nil {
		r.Fail()
	}
	return k
}
