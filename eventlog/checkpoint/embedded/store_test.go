package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
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
