package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// TestDirectoryMoved: a directory that was moved away takes no checkpoints, and the last one
// is readable; after it is put back all continues.
func TestDirectoryMoved(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	store, err := embedded.Open(embedded.Default(filepath.Join(data, "checkpoints")))
	if err != nil {
		t.Fatal(err)
	}
	write := func(position uint64) error {
		w, err := store.Begin(0)
		if err != nil {
			return err
		}
		at := messages.Position{Lo: position}
		err = w.Put(checkpoint.Entry{Key: nameOf(1), Position: at, State: []byte("state")})
		if err == nil {
			_, err = w.Commit(checkpoint.Marker{Position: at})
		}
		return errors.Join(err, w.Abort())
	}
	if err := write(1); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(data, data+".away"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := write(2); !errors.Is(err, eventlog.ErrUnwritable) {
			t.Errorf("a checkpoint returns %v", err)
		}
	}
	if err := store.Err(); !errors.Is(err, eventlog.ErrUnwritable) {
		t.Errorf("Err is %v", err)
	}
	if m, _, err := store.Load(t.Context(), 0); err != nil || m.Position.Lo != 1 {
		t.Errorf("the checkpoint is at %v, %v", m.Position, err)
	}
	if err := os.Rename(data+".away", data); err != nil {
		t.Fatal(err)
	}
	if err := write(3); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
