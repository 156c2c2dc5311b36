package chaos_test

import (
	"bufio"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// TestHangUp: SIGHUP ends a server in good order, as SIGTERM does: sessions close with 1012, a
// checkpoint holds everything counted, and the exit code is 0. A server that ignores SIGHUP, as
// under nohup, goes on.
func TestHangUp(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), "--checkpoint", "1h")
	if a := ask(t, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"d","metric":"m","value":1}`)); a.status != 202 {
		t.Fatalf("got %s", a)
	}
	c, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+p.URL[len("http"):]+"/dashboard/d", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, _, err := c.ReadMessage(); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = c.ReadMessage()
	}
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.CloseServiceRestart {
		t.Errorf("the session ended with %v, want close code 1012", err)
	}
	<-p.Ended()
	if code := p.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}

	stays, err := process.New(process.Config{Binary: binary, Data: t.TempDir(), Prefix: []string{"nohup"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := stays.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stays.Kill()
	if err := stays.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if a := ask(t, "GET", stays.URL+"/v1/dashboards", nil); a.status != 200 || !stays.Running() {
		t.Errorf("under nohup it answers %s, runs %t", a, stays.Running())
	}
}

// TestLogReaderGone: the reader of a server's log may go away; the server loses the lines and
// stays up.
func TestLogReaderGone(t *testing.T) {
	t.Parallel()
	// only the addresses come from New: stderr is a pipe of this test
	p, err := process.New(process.Config{Binary: binary})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), binary, "run", "--data", t.TempDir(), "--listen", p.URL[len("http://"):], "--admin", p.Admin[len("http://"):], "--log-level", "debug")
	lines, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	first, err := bufio.NewReader(lines).ReadString('\n')
	if err != nil {
		t.Fatalf("%q, %v", first, err)
	}
	if err := lines.Close(); err != nil { // from here on a line goes into a pipe that nobody reads
		t.Fatal(err)
	}
	// real time: this is a real process
	for began := time.Now(); !p.Ready(); time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the server is not ready")
		}
	}
	for range 20 {
		if a := ask(t, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"d","metric":"m","value":1}`)); a.status != 202 {
			t.Fatalf("got %s", a)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}
