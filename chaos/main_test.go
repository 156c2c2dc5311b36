package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/messages"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dashfeed-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = process.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// start runs a server that ends with the test, and prints the server's log if the test fails.
func start(t *testing.T, data string, args ...string) *process.Process {
	t.Helper()
	log := &logBuffer{}
	p, err := process.Start(t.Context(), process.Config{Binary: binary, Data: data, Args: args, Log: log})
	t.Cleanup(func() {
		if p != nil {
			p.Kill()
		}
		if t.Failed() {
			t.Logf("server log:\n%s", log)
		}
	})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return p
}

// logBuffer keeps the last 64 KiB of a log.
type logBuffer struct {
	mu sync.Mutex
	b  []byte
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, p...)
	if extra := len(l.b) - 64<<10; extra > 0 {
		l.b = append(l.b[:0], l.b[extra:]...)
	}
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// answer is an HTTP response with its whole body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// field returns a value of the JSON body by its path, such as "error.code", or nil if it is
// missing.
func (a answer) field(path string) any {
	var v any
	if json.Unmarshal(a.body, &v) != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a answer) String() string { return fmt.Sprintf("%d %.500s", a.status, a.body) }

// try makes one request.
func try(ctx context.Context, method, url string, body []byte, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, text}, err
}

// ask makes one request and fails the test unless there is an answer.
func ask(t *testing.T, method, url string, body []byte, header ...string) answer {
	t.Helper()
	a, err := try(t.Context(), method, url, body, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return a
}

// define applies a definition.
func define(t *testing.T, p *process.Process, dashboard, yaml string) {
	t.Helper()
	if a := ask(t, "PUT", p.URL+"/v1/dashboards/"+dashboard+"/definition", []byte(yaml)); a.status != http.StatusOK {
		t.Fatalf("PUT definition of %s: %s", dashboard, a)
	}
}

// key returns the key of a dashboard of tenant default.
func key(dashboard string) messages.Key {
	return messages.Key{Tenant: messages.DefaultTenant, Dashboard: dashboard}
}

// get reads JSON from url.
func get(t *testing.T, url string, into any) {
	t.Helper()
	if a := ask(t, http.MethodGet, url, nil); json.Unmarshal(a.body, into) != nil {
		t.Fatalf("GET %s: %s", url, a)
	}
}
