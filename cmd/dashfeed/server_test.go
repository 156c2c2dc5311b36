package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/examples/flights"
	"github.com/dashfeed/dashfeed/messages"
)

// served is a server that its command runs in this process.
type served struct {
	public, admin string
	cancel        context.CancelFunc
	code          chan int
	stderr        *lockedBuffer
}

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs a command that serves, and waits until it prints its addresses.
func start(t *testing.T, stdout io.Writer, args ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &served{cancel: cancel, code: make(chan int, 1), stderr: &lockedBuffer{}}
	lines, w := io.Pipe()
	go func() {
		s.code <- run(ctx, append(args, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"), strings.NewReader(""), stdout, io.MultiWriter(s.stderr, w))
		w.Close()
	}()
	found := make(chan struct{})
	go func() {
		for scan := bufio.NewScanner(lines); scan.Scan(); {
			name, address, _ := strings.Cut(strings.TrimSpace(scan.Text()), "  ")
			switch name {
			case "public":
				s.public = strings.TrimSpace(address)
			case "admin":
				s.admin = strings.TrimSpace(address)
				close(found)
			}
		}
		io.Copy(io.Discard, lines)
	}()
	t.Cleanup(cancel)
	select {
	case <-found:
	case code := <-s.code:
		t.Fatalf("%v ended with %d: %s", args, code, s.stderr)
	case <-time.After(time.Minute):
		t.Fatalf("%v told no addresses: %s", args, s.stderr)
	}
	return s
}

// stop interrupts it and returns its exit code.
func (s *served) stop(t *testing.T) int {
	t.Helper()
	s.cancel()
	select {
	case code := <-s.code:
		return code
	case <-time.After(time.Minute):
		t.Fatalf("did not stop: %s", s.stderr)
		return -1
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRun shows the life of a server: define, publish, read, watch, stop, and start again with the
// same numbers.
func TestRun(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	definitions := write(t, "sales.yaml", "dashboard: sales\npanels: [{id: total, window: {tumbling: 1h}, group_by: [labels.shop], aggregates: [count, sum]}]\n")
	table := write(t, "sales.csv", "when,shop,price\n1795422000,A,10\n1795422001,B,NA\n1795422002,A,2.5\n")
	s := start(t, io.Discard, "run", "--data", data, "--definitions", definitions)

	if got := get(t, s.admin+"/readyz?verbose"); got != "log: ok\ncheckpoints: ok\nshards: ok\ngateway: ok\ndefinitions: ok\n" {
		t.Errorf("readyz: %s", got)
	}
	if got := get(t, s.admin+"/metrics"); !strings.Contains(got, "dashboard_processing_seconds") || !strings.Contains(got, "go_goroutines") {
		t.Errorf("metrics lack ours or Go's: %.300s", got)
	}
	code, out, stderr := call(t, "", "publish", table, "--server", s.public, "--map", "dashboard==sales", "--map", "metric==price", "--map", "value=price",
		"--map", "time=when", "--map", "id=@row", "--map", "labels.shop=shop", "--time-format", "s", "-o", "json")
	var sums []map[string]float64
	if err := json.Unmarshal([]byte(out), &sums); code != 0 || err != nil || sums[0]["accepted"] != 2 || sums[0]["null"] != 1 {
		t.Fatalf("publish: exit %d, %v, %s %s", code, err, out, stderr)
	}
	code, out, stderr = call(t, `{"metric":"price","value":1}`+"\n7\n", "publish", "-", "--dashboard", "sales", "--server", s.public)
	if code != exitRefused || !strings.Contains(stderr, "not_an_object") {
		t.Errorf("publish something refused: exit %d, %s %s", code, out, stderr)
	}

	first := watched(t, s.public, 4)
	if !strings.Contains(first, `"group":["A"],"final":`) || !strings.Contains(first, `"values":[2,12.5]`) {
		t.Errorf("watch: %s", first)
	}
	code, out, _ = call(t, "", "definition", "get", "sales", "--server", s.public, "-o", "json")
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, `"total"`) {
		t.Errorf("definition get: exit %d %s", code, out)
	}
	if code, _, stderr := call(t, "", "run", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"); code != 1 || !strings.Contains(stderr, "in use") || !strings.Contains(stderr, data) {
		t.Errorf("a second server on the directory: exit %d %s", code, stderr)
	}
	address := strings.TrimPrefix(s.public, "http://")
	if code, _, stderr := call(t, "", "run", "--data", t.TempDir(), "--listen", address, "--admin", "127.0.0.1:0"); code != 1 || !strings.Contains(stderr, address) {
		t.Errorf("a second server on the address: exit %d %s", code, stderr)
	}
	if code := s.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, s.stderr)
	}

	again := start(t, io.Discard, "run", "--data", data, "--definitions", definitions)
	if after := watched(t, again.public, 4); after != first {
		t.Errorf("after a restart\n%s\nbefore\n%s", after, first)
	}
	if code := again.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, again.stderr)
	}
}

// watched returns the first line of watch -o json at which the dashboard has reached the version.
func watched(t *testing.T, server string, version uint64) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	lines, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx, []string{"watch", "sales", "--server", server, "-o", "json"}, strings.NewReader(""), w, io.Discard)
		w.Close()
	}()
	defer func() { cancel(); lines.Close(); <-done }()
	for scan := bufio.NewScanner(lines); scan.Scan(); {
		var e struct{ Version uint64 }
		if err := json.Unmarshal(scan.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", scan.Text(), err)
		}
		if e.Version >= version {
			// either event may bring it
			return strings.Replace(scan.Text(), `"event":"snapshot"`, `"event":"update"`, 1)
		}
	}
	t.Fatalf("version %d was not seen", version)
	return ""
}

// TestDemo: the replay changes the dashboards, and a second start in the same directory continues
// where the first ended. A dashboard that holds n events holds the first n of the replay, each
// once.
func TestDemo(t *testing.T) {
	data := t.TempDir()
	var epoch string
	var before uint64
	for range 3 {
		out, w := io.Pipe()
		s := start(t, w, "demo", "--data", data)
		var reading struct {
			Epoch    string
			Counters messages.Counters
			Latest   map[string]struct{ Time int64 }
		}
		for scan := bufio.NewScanner(out); ; { // until the dashboard that is read below has changed
			if !scan.Scan() {
				t.Fatalf("the lines ended: %v", scan.Err())
			}
			if !strings.HasPrefix(scan.Text(), "departures version ") {
				continue
			}
			if err := json.Unmarshal([]byte(get(t, s.public+"/v1/dashboards/departures")), &reading); err != nil {
				t.Fatal(err)
			}
			if reading.Counters.Accepted > before {
				break
			}
		}
		go io.Copy(io.Discard, out)
		newest := int64(0)
		for _, metric := range reading.Latest {
			newest = max(newest, metric.Time)
		}
		if c := reading.Counters; c.Records != c.Accepted || newest != departure(t, c.Accepted) {
			t.Errorf("%+v: want the first events of the replay, each once; the newest is of %d, not of %d", c, newest, departure(t, c.Accepted))
		}
		if epoch != "" && reading.Epoch != epoch {
			t.Errorf("epoch %s, before the start %s", reading.Epoch, epoch)
		}
		epoch, before = reading.Epoch, reading.Counters.Accepted
		if code := s.stop(t); code != 0 {
			t.Errorf("stop: exit %d: %s", code, s.stderr)
		}
		w.Close()
	}
}

// departure returns the time of the n-th flight that departed, from 1.
func departure(t *testing.T, n uint64) int64 {
	t.Helper()
	m, err := csv.ParseMapping([]string{"metric==dep_delay", "value=dep_delay", "time=time"})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.Open(bytes.NewReader(flights.CSV), []csv.Mapping{m}, csv.Options{Null: []string{""}})
	if err != nil {
		t.Fatal(err)
	}
	for {
		events, err := rows.Next()
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			continue
		}
		if n--; n == 0 {
			return events[0].Time
		}
	}
}

// TestDemoBeginsAnew: the demo begins a new history if its dashboards do not hold its replay.
func TestDemoBeginsAnew(t *testing.T) {
	in := func(ms int64) *outgoing {
		return &outgoing{key: messages.Key{Tenant: "default", Dashboard: "d"}, ms: ms}
	}
	s := &replayProgress{left: map[string]uint64{"d": 2}, newest: map[string]int64{"d": 20}}
	for i, c := range []struct {
		ms  int64
		has bool
		err error
	}{{10, true, nil}, {20, true, nil}, {20, false, nil}, {30, false, nil}} {
		if has, err := s.has(in(c.ms)); has != c.has || err != c.err {
			t.Errorf("event %d: %v, %v, want %v, %v", i, has, err, c.has, c.err)
		}
	}
	s = &replayProgress{left: map[string]uint64{"d": 1}, newest: map[string]int64{"d": 20}}
	if has, err := s.has(in(10)); has || err != errForeignEvents {
		t.Errorf("got %v, %v, want %v", has, err, errForeignEvents)
	}
}

func TestOvertakingIsRefused(t *testing.T) {
	var lines strings.Builder
	now := time.Now().UnixMilli()
	for i := range 10 {
		fmt.Fprintf(&lines, `{"dashboard":"f","metric":"m","value":1,"time":%d}`+"\n", now+int64(i)*600_000)
	}
	path := write(t, "future.ndjson", lines.String())
	code, _, stderr := call(t, "", "publish", path, "--speed", "300")
	if code != exitUsage || !strings.Contains(stderr, "overtakes the clock") || !strings.Contains(stderr, "--speed 1") && !strings.Contains(stderr, "speed 1") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
