package embedded_test

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// storage maps each open store to its configuration, so that the suite can reopen it.
type storage map[checkpoint.Store]embedded.Config

func (s storage) open(t *testing.T, c embedded.Config) checkpoint.Store {
	t.Helper()
	store, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	s[store] = c
	return store
}

func (s storage) reopen(t *testing.T, store checkpoint.Store) checkpoint.Store {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return s.open(t, s[store])
}

func TestSuite(t *testing.T) {
	s := storage{}
	checkpointtest.Run(t, checkpointtest.Subject{
		Open:   func(t *testing.T) checkpoint.Store { return s.open(t, embedded.Default(t.TempDir())) },
		Reopen: s.reopen,
	})
}

func inMemory(fs vfs.FS) embedded.Config {
	c := embedded.Default("checkpoints")
	c.Storage.FS = fs
	return c
}

// A store of one process names its newest checkpoint, also before it is loaded, and has none
// when it has forgotten the shard.
func TestNewestAlone(t *testing.T) {
	c := embedded.Default(t.TempDir())
	s := storage{}
	store := s.open(t, c)
	newest := func(want uint64) {
		t.Helper()
		at, err := store.Newest(t.Context(), 3)
		if err != nil || at.Lo != want {
			t.Errorf("the newest checkpoint is at %s (%v), want %d", at, err, want)
		}
	}
	newest(0)
	for _, position := range []uint64{7, 9} {
		w, err := store.Begin(3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(checkpoint.Marker{Position: messages.Position{Lo: position}}); err != nil {
			t.Fatal(err)
		}
		newest(position)
	}
	store = s.reopen(t, store)
	newest(9)
	if err := store.Forget(3); err != nil {
		t.Fatal(err)
	}
	newest(0)
	if _, _, err := store.Load(t.Context(), 3); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("what was forgotten is loaded: %v", err)
	}
}
