package embedded_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// The model of TestCrash: record n of the log belongs to dashboard owner(n), whose state is the
// list of its records.
const dashboards = 40

func owner(n uint64) int { return int(n*n%97+n) % dashboards }

func nameOf(d int) messages.Key {
	return messages.Key{Tenant: messages.DefaultTenant, Dashboard: fmt.Sprintf("d%02d", d)}
}

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

// shardLife is what a shard remembers between two starts.
type shardLife struct {
	at    uint64          // records folded so far
	fresh map[int]bool    // changed since the last checkpoint
	again map[int]bool    // written by the last one, and to be written once more
	store *embedded.Store //
}

// checkpoint writes a checkpoint. The shard folds on meanwhile, so entries may be after the marker.
// stop is called before every write; once it returns true, the power is off.
func (s *shardLife) checkpoint(t *testing.T, rng *rand.Rand, stop func() bool) (committed uint64) {
	t.Helper()
	marker := s.at
	w, err := s.store.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	put := map[int]bool{}
	for d := range s.fresh {
		if stop() {
			return 0
		}
		upTo := s.at
		state, last := stateOf(d, upTo)
		if err := w.Put(checkpoint.Entry{Key: nameOf(d), Position: messages.Position{Lo: last}, Summary: []byte(fmt.Sprint(last)), State: []byte(state)}); err != nil {
			t.Fatal(err)
		}
		put[d] = true
		s.at += uint64(rng.IntN(2)) // the fold continues; its changes belong to the next checkpoint
	}
	for d := range s.again {
		if put[d] {
			continue
		}
		if stop() {
			return 0
		}
		if err := w.Again(nameOf(d)); err != nil {
			t.Fatal(err)
		}
	}
	if stop() {
		return 0
	}
	if _, err := w.Commit(checkpoint.Marker{Position: messages.Position{Lo: marker}, State: []byte(fmt.Sprint(marker))}); err != nil {
		t.Fatal(err)
	}
	s.again, s.fresh = put, map[int]bool{}
	for n := marker + 1; n <= s.at; n++ {
		s.fresh[owner(n)] = true
	}
	return marker
}

func (s *shardLife) fold(records int) {
	for range records {
		s.at++
		s.fresh[owner(s.at)] = true
	}
}

// TestCrash cuts the power at random points of checkpoints, over several starts of one store. After
// each start there is a whole checkpoint, the last committed one or a later one, and replay from
// its marker gives every dashboard all its records, each once.
func TestCrash(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			fs := vfs.NewCrashableMem()
			committed := uint64(0)
			for range 4 {
				fs, committed = live(t, fs, rng, committed)
			}
		})
	}
}

// live starts, checks, writes checkpoints until the power fails, and returns what is left on the
// disk.
func live(t *testing.T, fs *vfs.MemFS, rng *rand.Rand, committed uint64) (*vfs.MemFS, uint64) {
	t.Helper()
	c := inMemory(fs)
	c.Storage.MemTableBytes = 64 << 10
	store, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	at := checkWhole(t, store, committed)
	s := &shardLife{at: at, fresh: map[int]bool{}, again: map[int]bool{}, store: store}
	writes := rng.IntN(300)
	var left *vfs.MemFS
	stop := func() bool {
		if writes--; writes < 0 && left == nil {
			left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		}
		return left != nil
	}
	for left == nil {
		s.fold(1 + rng.IntN(40))
		if marker := s.checkpoint(t, rng, stop); left == nil {
			committed = marker
		}
	}
	return left, committed
}

// checkWhole loads the shard and replays; it returns the marker's position.
func checkWhole(t *testing.T, store *embedded.Store, committed uint64) uint64 {
	t.Helper()
	m, passedOver, err := store.Load(t.Context(), 0)
	if errors.Is(err, checkpoint.ErrNone) && committed == 0 {
		return 0
	}
	if err != nil || passedOver != nil {
		t.Fatalf("load: %v, passed over: %v; want the checkpoint at %d", err, passedOver, committed)
	}
	if m.Position.Lo < committed || string(m.State) != fmt.Sprint(m.Position.Lo) {
		t.Fatalf("got checkpoint at %s with state %q, want %d or later", m.Position, m.State, committed)
	}
	for d := range dashboards {
		checkEntry(t, store, d, m.Position.Lo)
	}
	return m.Position.Lo
}

// checkEntry checks that the entry is the dashboard's state at its own position, and that no record
// up to the marker is missing.
func checkEntry(t *testing.T, store *embedded.Store, d int, marker uint64) {
	t.Helper()
	want, last := stateOf(d, marker)
	e, err := store.Get(0, nameOf(d))
	if errors.Is(err, checkpoint.ErrNone) && last == 0 {
		return
	}
	if err != nil {
		t.Fatalf("dashboard %d with %d as its last record before %d: %v", d, last, marker, err)
	}
	if e.Position.Lo > last {
		want, last = stateOf(d, e.Position.Lo)
	}
	if string(e.State) != want || e.Position.Lo != last || string(e.Summary) != fmt.Sprint(last) || e.FellBack {
		t.Fatalf("dashboard %d under the marker at %d:\n got %q at %s\nwant %q at %d", d, marker, e.State, e.Position, want, last)
	}
	if e.Through.Lo != max(marker, last) {
		t.Fatalf("dashboard %d: got through %s, want %d", d, e.Through, max(marker, last))
	}
}
