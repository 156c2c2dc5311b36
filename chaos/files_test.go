package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// TestFewFiles: a server that may open few files logs that, and still answers while idle
// connections use all files reserved for the public listener and more connections come.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	limited := func(files int) []string {
		return []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, files), "sh"}
	}
	var log logBuffer
	p, err := process.Start(t.Context(), process.Config{Binary: binary, Data: t.TempDir(), Prefix: limited(64), Log: &log})
	if err != nil {
		t.Fatalf("%v: %s", err, log.String())
	}
	t.Cleanup(func() { _ = p.Kill() })
	if got := log.String(); strings.Count(got, "may have 64 files and sockets open") != 1 {
		t.Errorf("want one warning line in the log: %s", got)
	}
	for range 200 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		a, err := try(ctx, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"d","metric":"m","value":1}`))
		cancel()
		if err != nil || a.status != 202 {
			t.Errorf("post %d: %v %s", i, err, a)
		}
	}
	for range 60 {
		c, err := net.Dial("tcp", strings.TrimPrefix(p.Admin, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	stillServes(t, p)
	if n := len(log.String()); n > 4096 {
		t.Errorf("%d bytes of log: %.2000s", n, log.String())
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}

	args := append(limited(63), binary, "run", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if exitCode(err) != 2 || !bytes.Contains(out, []byte("63 files")) || !bytes.Contains(out, []byte("at least 64")) || bytes.Count(out, []byte("\n")) != 1 {
		t.Errorf("63 files: exit %d: %s", exitCode(err), out)
	}
}
