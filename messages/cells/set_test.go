package cells_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// Exactly max(1,024, live cells) tombstones are kept, and the floor is the version of the newest
// dropped one.
func TestBoundOfTombstones(t *testing.T) {
	for _, live := range []int{0, 10, 1023, 1024, 1025, 3000} {
		t.Run(fmt.Sprint(live, " live"), func(t *testing.T) {
			var s cells.Set
			v := uint64(1)
			for range live {
				s.Put(v, cells.Cell{})
			}
			kept := max(cells.MinTombstones, live)
			for range kept {
				v++
				s.Remove(s.Put(v, cells.Cell{}), v)
			}
			if s.Floor() != 0 || tombstones(&s) != kept {
				t.Fatalf("after %d removals: floor %d, %d tombstones", kept, s.Floor(), tombstones(&s))
			}
			v++
			s.Remove(s.Put(v, cells.Cell{}), v)
			if s.Floor() != 2 || tombstones(&s) != kept {
				t.Fatalf("after one removal more: floor %d, %d tombstones, want 2, %d", s.Floor(), tombstones(&s), kept)
			}
			if _, ok := s.Since(1); ok {
				t.Error("version 1 is answered though a removal after it is forgotten")
			}
			if u, ok := s.Since(2); !ok || len(u.Removed) != kept {
				t.Errorf("version 2, the floor: ok %t, %d removed", ok, len(u.Removed))
			}
		})
	}
}

func tombstones(s *cells.Set) int {
	u, _ := s.Since(0)
	return len(u.Removed)
}

// TestMirrorThatJumps: a mirror that was away for longer than tombstones are kept applies a
// snapshot by difference. A holder of a place from before that absence learns of the removals or
// must take a snapshot; it never keeps a removed cell.
func TestMirrorThatJumps(t *testing.T) {
	var owner, mirror cells.Set
	old := owner.Put(1, cells.Cell{Row: "old"})
	owner.Put(2, cells.Cell{Row: "stays"})
	follow(t, &mirror, &owner)
	before := clone(t, &mirror)

	owner.Remove(old, 3)
	short := owner.Put(4, cells.Cell{Row: "short-lived"})
	between := clone(t, &owner) // a client of another mirror
	owner.Remove(short, 5)
	for v := uint64(6); v < 6+2*cells.MinTombstones; v++ {
		owner.Remove(owner.Put(v, cells.Cell{}), v)
	}
	if _, ok := owner.Since(mirror.Version()); ok {
		t.Fatal("the owner still answers version 2: the test shows nothing")
	}
	follow(t, &mirror, &owner)
	follow(t, before, &mirror)
	follow(t, between, &mirror)
}

// The same, where the mirror misses nothing and its own bound would let it keep its floor.
func TestMirrorThatJumpsOverCellsItNeverHeardOf(t *testing.T) {
	var owner, mirror cells.Set
	owner.Put(1, cells.Cell{Row: "stays"})
	follow(t, &mirror, &owner)
	short := owner.Put(2, cells.Cell{Row: "short-lived"})
	between := clone(t, &owner)
	owner.Remove(short, 3)
	for v := uint64(4); v < 4+cells.MinTombstones; v++ {
		owner.Remove(owner.Put(v, cells.Cell{}), v)
	}
	follow(t, &mirror, &owner)
	follow(t, between, &mirror)
}

// A snapshot leaves the floor where it was if the tombstones reach back far enough: the mirror's
// own clients continue.
func TestSnapshotKeepsTheFloor(t *testing.T) {
	var owner, mirror cells.Set
	h := owner.Put(1, cells.Cell{})
	owner.Put(2, cells.Cell{})
	follow(t, &mirror, &owner)
	owner.Remove(h, 3)
	u, _ := owner.Since(0)
	if err := mirror.Apply(u); err != nil {
		t.Fatal(err)
	}
	got, ok := mirror.Since(2)
	if !ok || len(got.Removed) != 1 || len(got.Cells) != 0 {
		t.Fatalf("since 2: ok %t, %+v; want one removal", ok, got)
	}
}

func TestGapsAndOldUpdates(t *testing.T) {
	var owner, mirror cells.Set
	owner.Put(1, cells.Cell{})
	follow(t, &mirror, &owner)
	owner.Put(2, cells.Cell{})
	owner.Put(3, cells.Cell{})
	gap, _ := owner.Since(2)
	if err := mirror.Apply(gap); err == nil || mirror.Version() != 1 {
		t.Fatalf("an update from 2 was applied at 1: %v", err)
	}
	news, _ := owner.Since(1)
	follow(t, &mirror, &owner)
	owner.Put(4, cells.Cell{})
	follow(t, &mirror, &owner)
	if err := mirror.Apply(news); err != nil || mirror.Version() != 4 || mirror.Len() != 4 {
		t.Fatalf("an old update moved the mirror to %d with %d cells: %v", mirror.Version(), mirror.Len(), err)
	}
	if _, ok := owner.Since(5); ok {
		t.Error("a version ahead of the set is answered")
	}
}

// A new epoch answers no version of the previous one.
func TestNewEpochs(t *testing.T) {
	begin := map[string]func(s *cells.Set){"reset": (*cells.Set).Reset, "forget": (*cells.Set).Forget}
	for name, f := range begin {
		var s cells.Set
		s.Remove(s.Put(5, cells.Cell{}), 6)
		s.Put(7, cells.Cell{})
		f(&s)
		if s.Version() != 7 || s.Floor() != 7 || tombstones(&s) != 0 {
			t.Errorf("%s: version %d, floor %d, %d tombstones", name, s.Version(), s.Floor(), tombstones(&s))
		}
		if _, ok := s.Since(6); ok {
			t.Errorf("%s: a version of the old epoch is answered", name)
		}
		if u, ok := s.Since(7); !ok || len(u.Cells) != 0 {
			t.Errorf("%s: since its own version: ok %t, %d cells", name, ok, len(u.Cells))
		}
	}
}

// The cost of Since depends on what changed, not on the size of the set: 10 changed of 100,000
// cells take at most ten times as long as 10 of 100.
func TestSinceIsBoundByChanges(t *testing.T) {
	few, many := sinceOf(100), sinceOf(100_000)
	costFew, costMany := testing.Benchmark(few), testing.Benchmark(many)
	if costMany.NsPerOp() > 10*costFew.NsPerOp() {
		t.Errorf("10 changed of 100 take %v, of 100,000 %v", costFew, costMany)
	}
	if costMany.AllocsPerOp() != costFew.AllocsPerOp() {
		t.Errorf("10 changed of 100 allocate %d times, of 100,000 %d times", costFew.AllocsPerOp(), costMany.AllocsPerOp())
	}
}

func BenchmarkSince(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("10of%d", n), sinceOf(n))
	}
}

func sinceOf(live int) func(b *testing.B) {
	var s cells.Set
	handles := make([]cells.Handle, live)
	for i := range handles {
		handles[i] = s.Put(1, cells.Cell{Panel: uint16(i % 3)})
	}
	for i := range 10 {
		s.Touch(handles[i*live/10], 2)
	}
	return func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if u, ok := s.Since(1); !ok || len(u.Cells) != 10 {
				b.Fatalf("ok %t, %d cells", ok, len(u.Cells))
			}
		}
	}
}

func BenchmarkTouch(b *testing.B) {
	var s cells.Set
	handles := make([]cells.Handle, 1000)
	for i := range handles {
		handles[i] = s.Put(1, cells.Cell{})
	}
	b.ReportAllocs()
	v := uint64(1)
	for b.Loop() {
		v++
		s.Touch(handles[v%1000], v)
	}
}
