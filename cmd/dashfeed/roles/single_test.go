package roles

import (
	"io"
	"strings"
	"testing"
	"time"
)

// TestStopOrder: while its sessions are being closed, the server says that it is not ready.
func TestStopOrder(t *testing.T) {
	s := NewSingle(Process{Talk: func(string, ...any) {}, Log: io.Discard}, ServerFlags{
		PublicFlags: PublicFlags{Listen: "127.0.0.1:0"}, AdminFlags: AdminFlags{Admin: "127.0.0.1:0"},
		StorageFlags:   StorageFlags{Data: t.TempDir()},
		DashboardFlags: DashboardFlags{Checkpoint: time.Second, Sleep: time.Minute},
	}, nil)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		if name, err := s.health.Ready(); err != nil {
			return name + ": " + err.Error()
		}
		return "ok"
	}
	if got := said(); got != "ok" {
		t.Errorf("after start: %s", got)
	}
	s.serving.Store(false) // the first thing that Stop does
	if got := said(); !strings.HasPrefix(got, "gateway: ") {
		t.Errorf("stopping: %s", got)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := s.Stop(); err != nil { // Start and the command may both call it
		t.Errorf("again: %v", err)
	}
}
