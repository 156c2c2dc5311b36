package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/cmd/process"
)

const (
	slowViewers = 200
	slowTimed   = 20 // of them measure how late frames are
	slowWarm    = 15 * time.Second
	slowStall   = 60 * time.Second
	slowCells   = 150
)

// TestSlowClient stalls one of 200 viewers of a dashboard for 60 s of real time. Beside them, 200 viewers of a twin
// dashboard get the same events and have nobody stalled: what the machine does to one it does to the other, so the twins are
// compared. Memory stays, the others are not later than their twins, and the stalled one gets from where it stood to the newest
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
	before := int64(0)
	for time.Since(warm) < slowWarm { // it is one of them
		slow.next(t)
		before = max(before, rss(t, p))
	}
	for _, late := range lates {
		late.begin()
	}
	time.Sleep(slowStall) // real time: it reads nothing, and the kernel's buffers fill
	after := rss(t, p)
	a, b := lates["stalled"].p99(t), lates["twin"].p99(t)
	t.Logf("RSS %.1f MiB before the stall, %.1f after it; p99 of the others %s, of the twin's %s: %.2fx", mib(before), mib(after), a, b, float64(a)/float64(b))
	if float64(after) > 1.05*float64(before)+1<<20 {
		t.Errorf("RSS grew from %.1f to %.1f MiB, more than 5 %% (and 1 MiB of the runtime's own breath)", mib(before), mib(after))
	}
	if float64(a) > 1.2*float64(b)+float64(2*time.Millisecond) {
		t.Errorf("the others' p99 is %s, beside the twin's %s: more than 1.2 times (and 2 ms of the clock's own noise)", a, b)
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

// slowLoad posts to both twins 20 times a second; every cell changes each time. A value is the time of sending in µs.
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

// lateness gathers how late the frames of one dashboard came.
type lateness struct {
	mu    sync.Mutex
	times []time.Duration
	err   error
}

func (l *lateness) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = l.times[:0]
}

func (l *lateness) add(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = append(l.times, d)
}

func (l *lateness) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = errors.Join(l.err, err)
}

func (l *lateness) p99(t *testing.T) time.Duration {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.times) < 1000 {
		t.Fatalf("only %d frames were timed", len(l.times))
	}
	sorted := slices.Sorted(slices.Values(l.times))
	return sorted[len(sorted)*99/100]
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

func rss(t *testing.T, p *process.Process) int64 {
	t.Helper()
	n, err := p.RSS()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
