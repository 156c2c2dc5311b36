package plain

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// TestPlainDialect runs the examples against a real server: what a client gets when it connects,
// and what it gets for an event posted then.
func TestPlainDialect(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := process.Start(ctx, process.Config{Binary: binary, Data: t.TempDir(), Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	host := strings.TrimPrefix(server.URL, "http://")
	pages := httptest.NewServer(http.FileServer(http.Dir(".")))
	defer pages.Close()

	for _, c := range []struct {
		name string
		args []string
	}{
		{"node", []string{"--experimental-websocket", "plain.mjs", host, "node"}},
		{"chromium", []string{"browser.mjs", pages.URL + "/plain.html", host, "chromium"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			post(t, server.URL, c.name, `{"id":"1","dashboard":"%s","metric":"latency","value":12.5,"time":1795422000371,"metadata":{"unit":"ms"}}`)
			lines := run(t, ctx, "node", c.args...)
			expect(t, lines, `^initial-state \{"latency":\{"value":12.5,"timestamp":1795422000371,"metadata":\{"unit":"ms"\}\}\}$`)
			post(t, server.URL, c.name, `{"id":"2","dashboard":"%s","metric":"latency","value":13,"time":1795422000372}`)
			expect(t, lines, `^update 1795422000372 latency 13 \{\}$`)
		})
	}
}

// run starts a program and returns its lines; the program ends with the test.
func run(t *testing.T, ctx context.Context, name string, args ...string) <-chan string {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			lines <- s.Text()
		}
		io.Copy(io.Discard, stdout)
	}()
	t.Cleanup(func() {
		stdin.Close() // browser.mjs then closes its browser; plain.mjs listens for ever
		if args[0] != "browser.mjs" {
			cmd.Process.Kill()
		}
		<-ended
		cmd.Wait()
	})
	return lines
}

// expect waits for the next line, which must match.
func expect(t *testing.T, lines <-chan string, pattern string) {
	t.Helper()
	select {
	case line, ok := <-lines:
		if !ok {
			t.Fatalf("the program ended; want a line %s", pattern)
		}
		if !regexp.MustCompile(pattern).MatchString(line) {
			t.Fatalf("got line %q, want %s", line, pattern)
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("no line %s within a minute", pattern)
	}
}

// post posts one event to the dashboard and waits until it is folded.
func post(t *testing.T, url, dashboard, event string) {
	t.Helper()
	answer, err := http.Post(url+"/v1/events", "application/json", strings.NewReader(fmt.Sprintf(event, dashboard)))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var stored struct{ Positions map[string]string }
	if err := json.NewDecoder(answer.Body).Decode(&stored); err != nil || answer.StatusCode != http.StatusAccepted {
		t.Fatalf("POST /v1/events: %s %v", answer.Status, err)
	}
	for partition, position := range stored.Positions {
		folded, err := http.Get(fmt.Sprintf("%s/v1/dashboards/%s?after=%s:%s&wait=10s", url, dashboard, partition, position))
		if err != nil {
			t.Fatal(err)
		}
		folded.Body.Close()
		if folded.StatusCode != http.StatusOK {
			t.Fatalf("GET after %s:%s: %s", partition, position, folded.Status)
		}
	}
}
