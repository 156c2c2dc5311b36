package checkpointtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// The model of RunRandom: record n of the log belongs to dashboard owner(n), whose state is the
// list of its records.
const randomBoards = 12

func owner(n uint64) int { return int(n*n%37+n) % randomBoards }

func boardName(d int) string { return fmt.Sprintf("d%02d", d) }

// stateOf returns the dashboard's state after all its records up to the position, and the last of
// them.
func stateOf(d int, upTo uint64) (state string, last uint64) {
	for n := uint64(1); n <= upTo; n++ {
		if owner(n) == d {
			state += fmt.Sprint(n, " ")
			last = n
		}
	}
	return state, last
}

// RunRandom lets three processes fold, lead, stand by, stop, forget and load in any order; at times
// several lead at once. Every loaded checkpoint must be whole, and not older than any released
// position.
func RunRandom(t *testing.T, n Nodes, seeds uint64) {
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := &world{meeting: &meeting{T: t, place: n.Place(t), nodes: map[string]*node{}}, rng: rand.New(rand.NewPCG(seed, 3)), folds: map[string]*folding{}}
			t.Cleanup(w.end)
			for range 60 {
				w.step()
			}
			for _, name := range []string{"a", "b", "c"} {
				w.load(name)
			}
		})
	}
}

type world struct {
	*meeting
	rng      *rand.Rand
	folds    map[string]*folding
	released messages.Position
}

// folding is what a process has in memory.
type folding struct {
	at    uint64       // records folded so far
	fresh map[int]bool // changed since its last checkpoint
	again map[int]bool // written by that checkpoint
}

func (w *world) step() {
	name := []string{"a", "b", "c"}[w.rng.IntN(3)]
	if w.folds[name] == nil {
		w.load(name)
		return
	}
	n := w.node(name)
	switch w.rng.IntN(12) {
	case 0, 1:
		n.shared.Lead(0, w.rng.IntN(3) > 0)
	case 2:
		n.stop()
		delete(w.folds, name)
	case 3:
		w.check(n.shared.Forget(0))
		w.load(name)
	case 4:
		w.load("observer") // this process keeps nothing
		w.check(w.node("observer").shared.Forget(0))
	default:
		w.fold(w.folds[name], 1+w.rng.IntN(6))
		w.checkpoint(n, w.folds[name])
	}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) fold(f *folding, records int) {
	for range records {
		f.at++
		f.fresh[owner(f.at)] = true
	}
}

// checkpoint writes a checkpoint as a host does. The fold continues meanwhile, so entries may be
// after the marker; now and then checkpoint aborts.
func (w *world) checkpoint(n *node, f *folding) {
	marker := f.at
	writer, err := n.shared.Begin(0)
	w.check(err)
	put := map[int]bool{}
	for _, d := range slices.Sorted(maps.Keys(f.fresh)) {
		state, last := stateOf(d, f.at)
		w.check(writer.Put(checkpoint.Entry{Key: dashboard(boardName(d)), Position: at(last), Summary: []byte(fmt.Sprint(last)), State: []byte(state)}))
		put[d] = true
		f.at += uint64(w.rng.IntN(2))
	}
	for d := range f.again {
		if !put[d] {
			w.check(writer.Again(dashboard(boardName(d))))
		}
	}
	if w.rng.IntN(8) == 0 {
		w.check(writer.Abort())
		for m := marker + 1; m <= f.at; m++ {
			f.fresh[owner(m)] = true
		}
		return
	}
	released, err := writer.Commit(checkpoint.Marker{Position: at(marker), State: []byte(fmt.Sprint(marker))})
	w.check(err)
	if released.After(w.released) {
		w.released = released
	}
	f.again, f.fresh = put, map[int]bool{}
	for m := marker + 1; m <= f.at; m++ {
		f.fresh[owner(m)] = true
	}
}

// load loads the shard and replays the records after the checkpoint.
func (w *world) load(name string) {
	w.Helper()
	n := w.node(name)
	m, passedOver, err := n.shared.Load(w.Context(), 0)
	if errors.Is(err, checkpoint.ErrNone) {
		err = nil
	}
	w.check(errors.Join(err, passedOver))
	if w.released.After(m.Position) {
		w.Fatalf("%s loaded the checkpoint at %s, but the log has released its records up to %s", name, m.Position, w.released)
	}
	for d := range randomBoards {
		w.checkBoard(n, d, m.Position.Lo)
	}
	w.folds[name] = &folding{at: m.Position.Lo, fresh: map[int]bool{}, again: map[int]bool{}}
	if name == "observer" {
		delete(w.folds, name)
	}
}

// checkBoard checks that the entry is the dashboard's state at its own position, and that no record
// up to the marker is missing.
func (w *world) checkBoard(n *node, d int, marker uint64) {
	w.Helper()
	want, last := stateOf(d, marker)
	e, err := n.shared.Get(0, dashboard(boardName(d)))
	if errors.Is(err, checkpoint.ErrNone) && last == 0 {
		return
	}
	w.check(err)
	if e.Position.Lo > last {
		want, last = stateOf(d, e.Position.Lo)
	}
	if string(e.State) != want || e.Position.Lo != last || e.FellBack {
		w.Fatalf("%s: dashboard %d under the marker at %d:\n got %q at %s\nwant %q at %d", n.name, d, marker, e.State, e.Position, want, last)
	}
}
