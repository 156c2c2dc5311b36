package chaos_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestDataDirectoryRemoved: while a server's data directory is moved away, events get no 202, and
// nothing else changes: acknowledged events are shown, and all goes on when the directory is back.
// A removed directory does not end the server either; on SIGTERM the process logs in one line why
// it can't finish, and ends.
func TestDataDirectoryRemoved(t *testing.T) {
	t.Parallel()
	data := t.TempDir() + "/data"
	p := start(t, data, "--checkpoint", "100ms")
	post := func(n int) answer {
		return ask(t, "POST", p.URL+"/v1/events", fmt.Appendf(nil, `{"id":"e%d","dashboard":"d","metric":"m","value":1}`, n))
	}
	counted := func(n int) {
		t.Helper()
		within := time.Now().Add(10 * time.Second)
		for {
			a := ask(t, "GET", p.URL+"/v1/dashboards/d", nil)
			if a.status == http.StatusOK && strings.Contains(string(a.body), fmt.Sprintf(`"accepted":%d,`, n)) {
				return
			}
			if time.Now().After(within) {
				t.Fatalf("want %d events, got %s", n, a)
			}
			time.Sleep(20 * time.Millisecond) // real time: this is a real process
		}
	}
	refused := func(n int) {
		t.Helper()
		for range 5 {
			if a := post(n); a.status != http.StatusServiceUnavailable || !strings.Contains(string(a.body), "1303") {
				t.Errorf("want 503 with code 1303, got %s", a)
			}
			time.Sleep(100 * time.Millisecond) // a checkpoint is due
		}
		if health := p.Health(); !strings.Contains(health, data) {
			t.Errorf("readyz does not report it: %s", health)
		}
		if !p.Ready() {
			t.Error("the server is not ready, though it serves its dashboards")
		}
	}
	for n := range 10 {
		if a := post(n); a.status != http.StatusAccepted {
			t.Fatalf("got %s", a)
		}
	}
	if err := os.Rename(data, data+".away"); err != nil {
		t.Fatal(err)
	}
	refused(10)
	counted(10)
	if err := os.Rename(data+".away", data); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if a := post(n); a.status != http.StatusAccepted {
			t.Fatalf("the directory is back, and the answer is %s", a)
		}
	}
	counted(20)
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	refused(20)
	counted(20)
	began := time.Now()
	err := p.Stop()
	t.Logf("stopped after %v: %v", time.Since(began), err)
	if p.ExitCode() != 1 {
		t.Errorf("exit code %d", p.ExitCode())
	}
}
