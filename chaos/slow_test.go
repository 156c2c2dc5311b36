package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/chaos/process"
)

const (
	slowViewers = 200
	slowTimed   = 20 // these many of them measure how late frames are
	slowWarm    = 15 * time.Second
	slowStall   = 60 * time.Second
	slowWindow  = 5 * time.Second
	slowCells   = 300
	slowEvery   = 100 * time.Millisecond
)

// TestSlowClient stalls one of 200 viewers of a dashboard for 60 s of real time. A second process
// has 200 viewers of a twin dashboard with the same events and no stalled viewer: the machine
// affects both alike, so the test compares the twins. The first process's memory does not grow
// more, its other viewers are not later in any window of five seconds, and one frame takes the
// stalled viewer from its version to the newest state.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	stalled, twin := startSlow(t), startSlow(t)
	ctx, cancel := context.WithCancel(t.Context())
	var joined sync.WaitGroup
	defer joined.Wait()
	defer cancel()

	load := &slowLoad{gateways: []string{stalled.p.URL, twin.p.URL}}
	if err := load.post(ctx); err != nil { // create every cell before anybody watches
		t.Fatal(err)
	}
	for _, s := range []*slowServer{stalled, twin} {
		for i := range slowViewers {
			if s == stalled && i == 0 {
				continue
			}
			timed := i <= slowTimed
			joined.Go(func() { s.late.fail(follow(ctx, s, timed)) })
		}
	}
	slow := subscribe(t, stalled.p)
	joined.Go(func() { load.run(ctx) })
	warm := time.Now()
	for time.Since(warm) < slowWarm { // the stalled viewer first reads like the others
		slow.next(t)
	}
	before, twinBefore := liveHeap(t, stalled.p), liveHeap(t, twin.p)
	began := time.Now()
	stalled.late.begin(began)
	twin.late.begin(began)
	stood := load.version.Load()
	time.Sleep(slowStall) // real time: it reads nothing, and the kernel's buffers fill
	after, twinAfter := liveHeap(t, stalled.p), liveHeap(t, twin.p)
	t.Logf("live heap %.1f MiB before the stall, %.1f after it; of the twin %.1f and %.1f", mib(before), mib(after), mib(twinBefore), mib(twinAfter))
	// A queue of the frames shown meanwhile would hold as many cells as there were events.
	const cell = 32
	limit := int64(load.version.Load()-stood) * cell / 2
	if grown := (after - before) - (twinAfter - twinBefore); grown > limit {
		t.Errorf("the live heap grew %.1f MiB more than the twin's, more than %.1f", mib(grown), mib(limit))
	}
	others, twins := stalled.late.p90s(t), twin.late.p90s(t)
	var excess []time.Duration
	for i := range others {
		excess = append(excess, others[i]-twins[i]*15/10)
	}
	slices.Sort(excess)
	t.Logf("p90 of the other viewers, in each %s: %s; of the twin's: %s", slowWindow, others, twins)
	// a queue behind the stalled viewer would delay the others by seconds
	if over := excess[len(excess)/2]; over > 20*time.Millisecond {
		t.Errorf("the other viewers' p90 is more than 1.5 times the twin's, by %s in half of the windows", over)
	}

	newest := load.version.Load()
	at, frames := slow.version, 0
	for slow.version < newest {
		frames++
		if from, to := slow.next(t); to >= newest {
			t.Logf("the viewer was at %d; it got %d frames from the socket's buffers, then one from %d to %d, the server being at %d", at, frames-1, from, to, newest)
			if to-from < (newest-at)/2 {
				t.Errorf("the last frame went from %d to %d only: frames were queued for the stalled client", from, to)
			}
		}
	}
	cancel()
	joined.Wait()
	for _, s := range []*slowServer{stalled, twin} {
		if s.late.err != nil {
			t.Errorf("a viewer: %v", s.late.err)
		}
	}
	if load.err != nil {
		t.Error(load.err)
	}
}

// slowServer is one of the two twin processes.
type slowServer struct {
	p    *process.Process
	late lateness
}

func startSlow(t *testing.T) *slowServer {
	t.Helper()
	s := &slowServer{p: start(t, t.TempDir())}
	define(t, s.p, slowBoard, "panels: [{id: now, window: latest, group_by: [labels.k], aggregates: [last]}]\n")
	return s
}

const slowBoard = "d"

// slowLoad posts to both twins at once, ten times a second; every cell changes each time. A value
// is its sending time in µs.
type slowLoad struct {
	gateways []string
	version  atomic.Uint64 // of either dashboard: one definition, then one step an event
	err      error
}

func (l *slowLoad) run(ctx context.Context) {
	tick := time.NewTicker(slowEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if l.err = l.post(ctx); l.err != nil {
			if ctx.Err() != nil {
				l.err = nil
			}
			return
		}
	}
}

func (l *slowLoad) post(ctx context.Context) error {
	var body bytes.Buffer
	now := time.Now().UnixMicro()
	for k := range slowCells {
		fmt.Fprintf(&body, `{"dashboard":"%s","metric":"m","value":%d,"labels":{"k":"k%d"}}`+"\n", slowBoard, now, k)
	}
	var both errgroup.Group
	for _, gateway := range l.gateways {
		both.Go(func() error {
			a, err := try(ctx, "POST", gateway+"/v1/events", body.Bytes())
			if err == nil && a.status != 202 {
				err = fmt.Errorf("POST: %s", a)
			}
			return err
		})
	}
	err := both.Wait()
	l.version.Add(slowCells)
	return err
}

// lateness collects how late the frames of one dashboard came, in windows of slowWindow.
type lateness struct {
	mu      sync.Mutex
	began   time.Time
	windows [slowStall / slowWindow][]time.Duration
	err     error
}

func (l *lateness) begin(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = now
}

func (l *lateness) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := int(time.Since(l.began) / slowWindow); !l.began.IsZero() && i < len(l.windows) {
		l.windows[i] = append(l.windows[i], d)
	}
}

func (l *lateness) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = errors.Join(l.err, err)
}

// p90s returns the 90th percentile of each window.
func (l *lateness) p90s(t *testing.T) (p90s []time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, times := range l.windows {
		if len(times) < 50 {
			t.Fatalf("only %d frames were timed in window %d", len(times), i)
		}
		slices.Sort(times)
		p90s = append(p90s, times[len(times)*9/10])
	}
	return p90s
}

// follow reads a viewer's frames until ctx ends.
func follow(ctx context.Context, s *slowServer, timed bool) error {
	c, err := dial(s.p)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer c.Close()
	for {
		_, data, err := c.ReadMessage()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if !timed {
			continue
		}
		var f slowFrame
		if json.Unmarshal(data, &f) == nil && f.Type == "update" && f.From != 0 && len(f.Cells) > 0 {
			s.late.add(time.Since(time.UnixMicro(int64(f.newest()))))
		}
	}
}

type slowFrame struct {
	Type     string
	From, To uint64
	Cells    [][]json.RawMessage
}

// newest returns the greatest value of the frame.
func (f slowFrame) newest() (newest float64) {
	for _, c := range f.Cells {
		var values []float64
		if json.Unmarshal(c[len(c)-1], &values) == nil {
			newest = max(newest, values[0])
		}
	}
	return newest
}

// slowClient is a viewer that reads only when the test calls next.
type slowClient struct {
	conn    *websocket.Conn
	version uint64
}

func subscribe(t *testing.T, p *process.Process) *slowClient {
	t.Helper()
	c, err := dial(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &slowClient{conn: c}
}

// next reads frames until an update changes the client's version.
func (s *slowClient) next(t *testing.T) (from, to uint64) {
	t.Helper()
	s.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			t.Fatalf("stalled client at %d: %v", s.version, err)
		}
		var f slowFrame
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == "gap" {
			t.Fatalf("gap: %s", data)
		}
		if f.Type == "update" && f.To > s.version {
			if f.From > s.version {
				t.Fatalf("the client is at %d, the frame begins at %d", s.version, f.From)
			}
			s.version = f.To
			return f.From, f.To
		}
	}
}

func dial(p *process.Process) (*websocket.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: 20 * time.Second}
	c, _, err := d.Dial(strings.Replace(p.URL, "http", "ws", 1)+"/v1/ws", nil)
	if err != nil {
		return nil, err
	}
	return c, c.WriteJSON(map[string]any{"type": "subscribe", "id": 1, "dashboard": slowBoard})
}

// liveHeap returns the server's heap after a garbage collection, in bytes.
func liveHeap(t *testing.T, p *process.Process) int64 {
	t.Helper()
	a, err := try(t.Context(), "GET", p.Admin+"/debug/pprof/heap?gc=1&debug=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(a.body), "# HeapAlloc = ")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		t.Fatalf("no HeapAlloc in the profile: %v", err)
	}
	return n
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
