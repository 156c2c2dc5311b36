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

	"github.com/dashfeed/dashfeed/chaos/process"
)

const (
	slowViewers = 200
	slowTimed   = 20 // of them measure how late frames are
	slowWarm    = 15 * time.Second
	slowStall   = 60 * time.Second
	slowWindow  = 5 * time.Second
	slowCells   = 150
)

// TestSlowClient stalls one of 200 viewers of a dashboard for 60 s of real time. Beside them, 200
// viewers of a twin dashboard get the same events and have nobody stalled: what the machine does to
// one it does to the other, so the twins are compared, five seconds at a time. Memory stays, the
// others are not later than their twins, and the stalled one gets from where it stood to the newest
// state by one frame.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, d := range []string{"stalled", "twin"} {
		define(t, p, d, "panels: [{id: now, window: latest, group_by: [labels.k], aggregates: [last]}]\n")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var joined sync.WaitGroup
	defer joined.Wait()
	defer cancel()

	load := &slowLoad{p: p}
	if err := load.post(ctx); err != nil { // every cell is born before anybody looks
		t.Fatal(err)
	}
	lates := map[string]*lateness{"stalled": {}, "twin": {}}
	for d, late := range lates {
		for i := range slowViewers {
			if d == "stalled" && i == 0 {
				continue
			}
			timed := i <= slowTimed
			joined.Go(func() { late.fail(follow(ctx, p, d, timed, late)) })
		}
	}
	slow := subscribe(t, p, "stalled")
	joined.Go(func() { load.run(ctx) })
	warm := time.Now()
	for time.Since(warm) < slowWarm { // it is one of them
		slow.next(t)
	}
	before := liveHeap(t, p)
	began := time.Now()
	for _, late := range lates {
		late.begin(began)
	}
	time.Sleep(slowStall) // real time: it reads nothing, and the kernel's buffers fill
	after := liveHeap(t, p)
	t.Logf("live heap %.1f MiB before the stall, %.1f after it", mib(before), mib(after))
	if after > before+2<<20 { // the frames of the stall are more than 5 MiB
		t.Errorf("the live heap grew from %.1f to %.1f MiB", mib(before), mib(after))
	}
	others, twins := lates["stalled"].p99s(t), lates["twin"].p99s(t)
	var excess []time.Duration
	for i := range others {
		excess = append(excess, others[i]-twins[i]*12/10)
	}
	slices.Sort(excess)
	t.Logf("p99 of the others, in each %s: %s; of the twin's: %s", slowWindow, others, twins)
	if over := excess[len(excess)/2]; over > 2*time.Millisecond {
		t.Errorf("the others' p99 is %s above 1.2 times the twin's, in half of the time", over)
	}

	newest := load.version.Load()
	stood, frames := slow.version, 0
	for slow.version < newest {
		frames++
		if from, to := slow.next(t); to >= newest {
			t.Logf("stood at %d; %d frames from the socket's buffers, then one from %d to %d, the server being at %d", stood, frames-1, from, to, newest)
			if to-from < (newest-stood)/2 {
				t.Errorf("the last frame went from %d to %d only: frames were queued for the stalled client", from, to)
			}
		}
	}
	cancel()
	joined.Wait()
	for d, late := range lates {
		if late.err != nil {
			t.Errorf("viewer of %s: %v", d, late.err)
		}
	}
	if load.err != nil {
		t.Error(load.err)
	}
}

// slowLoad posts to both twins 20 times a second; every cell changes each time. A value is the time
// of sending in µs.
type slowLoad struct {
	p       *process.Process
	version atomic.Uint64 // of either dashboard: one definition, then one step an event
	err     error
}

func (l *slowLoad) run(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
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
	for _, d := range []string{"stalled", "twin"} {
		for k := range slowCells {
			fmt.Fprintf(&body, `{"dashboard":"%s","metric":"m","value":%d,"labels":{"k":"k%d"}}`+"\n", d, now, k)
		}
	}
	a, err := try(ctx, "POST", l.p.URL+"/v1/events", body.Bytes())
	if err == nil && a.status != 202 {
		err = fmt.Errorf("POST: %s", a)
	}
	l.version.Add(slowCells)
	return err
}

// lateness gathers how late the frames of one dashboard came, in windows of slowWindow.
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

// p99s is the 99th percentile of each window.
func (l *lateness) p99s(t *testing.T) (p99s []time.Duration) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, times := range l.windows {
		if len(times) < 200 {
			t.Fatalf("only %d frames were timed in window %d", len(times), i)
		}
		slices.Sort(times)
		p99s = append(p99s, times[len(times)*99/100])
	}
	return p99s
}

// follow reads a viewer's frames until ctx ends.
func follow(ctx context.Context, p *process.Process, dashboard string, timed bool, late *lateness) error {
	c, err := dial(p, dashboard)
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
			late.add(time.Since(time.UnixMicro(int64(f.newest()))))
		}
	}
}

type slowFrame struct {
	Type     string
	From, To uint64
	Cells    [][]json.RawMessage
}

// newest is the greatest value of the frame.
func (f slowFrame) newest() (newest float64) {
	for _, c := range f.Cells {
		var values []float64
		if json.Unmarshal(c[len(c)-1], &values) == nil {
			newest = max(newest, values[0])
		}
	}
	return newest
}

// slowClient is a viewer that reads only when it is told to.
type slowClient struct {
	conn    *websocket.Conn
	version uint64
}

func subscribe(t *testing.T, p *process.Process, dashboard string) *slowClient {
	t.Helper()
	c, err := dial(p, dashboard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &slowClient{conn: c}
}

// next reads frames until an update moves the client.
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

func dial(p *process.Process, dashboard string) (*websocket.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: 20 * time.Second}
	c, _, err := d.Dial(strings.Replace(p.URL, "http", "ws", 1)+"/v1/ws", nil)
	if err != nil {
		return nil, err
	}
	return c, c.WriteJSON(map[string]any{"type": "subscribe", "id": 1, "dashboard": dashboard})
}

// liveHeap is what the server holds after a garbage collection, in bytes.
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
