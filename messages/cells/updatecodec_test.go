package cells_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages/cells"
	"pgregory.net/rapid"
)

// Every update that a set returns survives encoding and has the same effect.
func TestUpdateRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair()
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if rapid.IntRange(0, 9).Draw(rt, "churns") == 0 {
				p.churn(rapid.IntRange(1, 700).Draw(rt, "churn"))
			}
			p.drawStep(rt)
			u, ok := p.set.Since(rapid.Uint64Range(0, p.model.version).Draw(rt, "since"))
			if !ok {
				continue
			}
			u.Epoch = 0x9f2c41d0
			b := cells.AppendUpdate(nil, &u)
			got, rest, err := cells.DecodeUpdate(append(bytes.Clone(b), "rest"...))
			if err != nil || string(rest) != "rest" || fmt.Sprint(got) != fmt.Sprint(u) {
				rt.Fatalf("got %+v, %q, %v\nwant %+v", got, rest, err, u)
			}
		}
	})
}

func FuzzDecodeUpdate(f *testing.F) {
	var s cells.Set
	add := func(v uint64) {
		u, _ := s.Since(v)
		u.Epoch = math.MaxUint32
		f.Add(cells.AppendUpdate(nil, &u))
	}
	add(0)
	group := cells.Group(cells.AppendGroupKey(nil, strings.Repeat("k", 300), true))
	h := s.Put(3, cells.Cell{Panel: 2, Start: math.MinInt64, End: math.MaxInt64, Group: group, Row: cells.Row(cells.AppendFloat(nil, 1.5)), Revision: 7})
	s.Put(4, cells.Cell{Group: cells.Overflow, Start: 5, End: 1})
	add(0)
	add(3)
	s.Remove(h, 5)
	add(0)
	add(4)
	f.Fuzz(func(t *testing.T, b []byte) {
		u, rest, err := cells.DecodeUpdate(b)
		if err != nil {
			return
		}
		taken := b[:len(b)-len(rest)]
		if again := cells.AppendUpdate(nil, &u); !bytes.Equal(again, taken) {
			t.Fatalf("%x is read and written as %x", taken, again)
		}
		var holder cells.Set
		if err := holder.Apply(u); err != nil && u.From == 0 {
			t.Fatal(err)
		}
	})
}

// Every truncated update is refused.
func TestTruncatedUpdate(t *testing.T) {
	u := wideUpdate(3)
	u.Removed = []cells.Tombstone{{Number: 77, Panel: 1, Removed: 300}}
	whole := cells.AppendUpdate(nil, u)
	for n := range whole {
		if _, _, err := cells.DecodeUpdate(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were read as an update", n, len(whole))
		}
	}
}

// Decoding costs a slice of cells and one string for every few of them, and the result does not
// hold on to the input.
func TestCostOfDecoding(t *testing.T) {
	const n = 1000
	b := cells.AppendUpdate(nil, wideUpdate(n))
	if allocs := testing.AllocsPerRun(10, func() { _, _, _ = cells.DecodeUpdate(b) }); allocs > n/4 {
		t.Errorf("%v allocations for %d cells", allocs, n)
	}
	u, _, err := cells.DecodeUpdate(b)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !reflect.DeepEqual(u.Cells, wideUpdate(n).Cells) {
		t.Error("the cells changed with the bytes they were read from")
	}
}

func wideUpdate(n int) *cells.Update {
	u := &cells.Update{Epoch: 7, From: 299, To: 300}
	for i := range n {
		group := cells.Group(cells.AppendGroupKey(nil, fmt.Sprint("country ", i), true))
		row := cells.AppendFloat(cells.AppendInt(nil, int64(i)), float64(i)/3)
		u.Cells = append(u.Cells, cells.Cell{
			Number: uint32(i), Panel: 1, Start: 1_795_422_000_000, End: 1_795_422_010_000, Group: group, Row: cells.Row(row), Created: 17, Changed: 300,
		})
	}
	return u
}

func BenchmarkUpdateCodec(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		u := wideUpdate(n)
		bytes := cells.AppendUpdate(nil, u)
		b.Run(fmt.Sprint("append/", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bytes)))
			buf := make([]byte, 0, len(bytes))
			for b.Loop() {
				buf = cells.AppendUpdate(buf[:0], u)
			}
		})
		b.Run(fmt.Sprint("decode/", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bytes)))
			for b.Loop() {
				if _, _, err := cells.DecodeUpdate(bytes); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
