package cells_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/messages/cells"
	"pgregory.net/rapid"
)

// TestCanonicalForm: equal sets give equal bytes, however they were built: here the slots and links
// differ.
func TestCanonicalForm(t *testing.T) {
	var straight, winding cells.Set
	a := straight.Put(1, cells.Cell{Row: "a"})
	b := straight.Put(1, cells.Cell{Row: "b"})
	straight.Touch(a, 2)
	straight.Touch(b, 2)

	a = winding.Put(1, cells.Cell{Row: "a"})
	b = winding.Put(1, cells.Cell{Row: "b"})
	winding.Touch(b, 2)
	winding.Touch(a, 2)
	if !bytes.Equal(straight.Append(nil), winding.Append(nil)) {
		t.Error("the order of two changes of one version shows in the bytes")
	}
}

func FuzzDecode(f *testing.F) {
	var s cells.Set
	f.Add(s.Append(nil))
	group := cells.Group(cells.AppendGroupKey(cells.AppendGroupKey(nil, "k", true), "", false))
	h := s.Put(3, cells.Cell{Panel: 2, Start: math.MinInt64, End: math.MaxInt64, Group: group, Row: cells.Row(cells.AppendFloat(nil, 1.5)), Revision: 7})
	f.Add(s.Append(nil))
	s.Put(4, cells.Cell{Group: cells.Overflow})
	s.Remove(h, 5)
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, rest, err := cells.Decode(b)
		if err != nil {
			return
		}
		taken := b[:len(b)-len(rest)]
		if again := s.Append(nil); !bytes.Equal(again, taken) {
			t.Fatalf("%x is read and written as %x", taken, again)
		}
		for _, c := range s.Cells() {
			c.Group.Keys()
			c.Row.Values()
		}
		s.Put(s.Version()+1, cells.Cell{})
	})
}

// Every truncated state is refused.
func TestTruncatedState(t *testing.T) {
	var s cells.Set
	s.Remove(s.Put(1, cells.Cell{Row: "row", Group: "\x00"}), 2)
	s.Put(300, cells.Cell{Row: "row"})
	whole := s.Append(nil)
	for n := range whole {
		if _, _, err := cells.Decode(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were read as a set", n, len(whole))
		}
	}
}

func TestGroupsDiffer(t *testing.T) {
	tuples := [][]cells.GroupKey{
		nil,
		{{}},
		{{Present: true}},
		{{Key: "null", Present: true}},
		{{Key: "__other__", Present: true}},
		{{}, {}},
		{{Key: "a", Present: true}, {Key: "b", Present: true}},
		{{Key: "ab", Present: true}, {Present: true}},
		{{Key: "a\x00b", Present: true}},
		{{Key: "\xff", Present: true}},
		{{Key: string(make([]byte, 300)), Present: true}},
	}
	seen := map[cells.Group]int{cells.Overflow: -1}
	for i, tuple := range tuples {
		g := groupOf(tuple)
		if j, twice := seen[g]; twice {
			t.Errorf("tuples %d and %d are one group", i, j)
		}
		seen[g] = i
	}
	if _, err := cells.Overflow.Keys(); err == nil {
		t.Error("the overflow group has keys")
	}
}

func TestGroupRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) cells.GroupKey {
			if rapid.Bool().Draw(rt, "missing") {
				return cells.GroupKey{}
			}
			return cells.GroupKey{Key: rapid.OneOf(rapid.String(), rapid.StringN(120, 140, 300)).Draw(rt, "key"), Present: true}
		})).Draw(rt, "keys")
		got, err := groupOf(keys).Keys()
		if err != nil || !slices.Equal(got, keys) && len(keys) > 0 {
			rt.Fatalf("%v is read as %v, %v", keys, got, err)
		}
	})
}

func groupOf(keys []cells.GroupKey) cells.Group {
	var b []byte
	for _, k := range keys {
		b = cells.AppendGroupKey(b, k.Key, k.Present)
	}
	return cells.Group(b)
}

func TestRowRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b []byte
		var want []cells.Value
		for range rapid.IntRange(0, 6).Draw(rt, "values") {
			v := cells.Value{Kind: cells.ValueKind(rapid.IntRange(0, 3).Draw(rt, "kind"))}
			switch v.Kind {
			case cells.Null:
				b = cells.AppendNull(b)
			case cells.Float:
				v.Float = rapid.Float64().Draw(rt, "float")
				b = cells.AppendFloat(b, v.Float)
			case cells.Int:
				v.Int = rapid.Int64().Draw(rt, "int")
				b = cells.AppendInt(b, v.Int)
			case cells.JSON:
				v.JSON = rapid.String().Draw(rt, "json")
				b = cells.AppendJSON(b, v.JSON)
			}
			want = append(want, v)
		}
		got, ok := cells.Row(b).Values()
		if !ok || !slices.Equal(got, want) {
			rt.Fatalf("%v is read as %v, %t", want, got, ok)
		}
		for n := range b {
			if vs, ok := cells.Row(b[:n]).Values(); ok && len(vs) >= len(want) {
				rt.Fatalf("%d of %d bytes are read as the whole row", n, len(b))
			}
		}
	})
}

func TestNumbersThatAreNotFinite(t *testing.T) {
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		vs, ok := cells.Row(cells.AppendFloat(nil, f)).Values()
		if !ok || len(vs) != 1 || vs[0].Kind != cells.Null {
			t.Errorf("%v is kept as %v", f, vs)
		}
	}
}
