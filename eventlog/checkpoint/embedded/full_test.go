package embedded_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
	"github.com/dashfeed/dashfeed/messages"
)

// TestFull: on a full volume checkpoints are refused and the last committed one stays whole; they
// succeed again when there is space.
func TestFull(t *testing.T) {
	const mib = 1 << 20
	volume := eventlogtest.NewVolume(t, 64*mib)
	c := embedded.Default(filepath.Join(volume.Path, "checkpoints"))
	c.Storage.ReserveBytes = 24 * mib // the store keeps half of it
	c.Storage.MemTableBytes = mib
	store, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	rng := rand.New(rand.NewPCG(1, 1))
	write := func(position uint64) error {
		w, err := store.Begin(0)
		for d := 0; d < 100 && err == nil; d++ {
			state := fmt.Appendf(nil, "%d ", position)
			for len(state) < 16<<10 {
				state = append(state, byte(rng.Uint32()))
			}
			err = w.Put(checkpoint.Entry{Key: nameOf(d), Position: messages.Position{Lo: position}, State: state})
		}
		if err == nil {
			_, err = w.Commit(checkpoint.Marker{Position: messages.Position{Lo: position}})
		} else if w != nil {
			err = errors.Join(err, w.Abort())
		}
		return err
	}
	whole := func(committed uint64) {
		t.Helper()
		m, passedOver, err := store.Load(t.Context(), 0)
		if err != nil || passedOver != nil || m.Position.Lo != committed {
			t.Fatalf("got marker %s, passed over %v, %v; want %d", m.Position, passedOver, err, committed)
		}
		for d := range 100 {
			e, err := store.Get(0, nameOf(d))
			var n uint64
			if err == nil {
				_, err = fmt.Sscanf(string(e.State[:20]), "%d ", &n)
			}
			if err != nil || n < committed || e.FellBack {
				t.Fatalf("dashboard %d: got the state at %d, %v; want %d or later", d, n, err, committed)
			}
		}
	}
	committed := uint64(0)
	for round := range 3 {
		for range 4 {
			if err := write(committed + 1); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			committed++
		}
		free := volume.Fill(t, 64*mib)
		if err := write(committed + 1); !errors.Is(err, eventlog.ErrFull) {
			t.Fatalf("round %d: got %v, want ErrFull", round, err)
		}
		if err := store.Err(); !errors.Is(err, eventlog.ErrFull) {
			t.Errorf("round %d: Err is %v, want ErrFull", round, err)
		}
		whole(committed)
		free()
	}
	if err := write(committed + 1); err != nil {
		t.Fatal(err)
	}
	whole(committed + 1)
}
