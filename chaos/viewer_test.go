package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// stayer is a client that stays through all restarts, reconnects by itself, and checks that
// versions never go back.
type stayer struct {
	dashboard string
	client    *client.Client
	sub       *client.Subscription

	mu            sync.Mutex
	place         messages.Place
	held          map[string]string
	frames        int
	disconnected  int
	wentBackwards []string
	moved         chan struct{} // closed and replaced at each event
	stop          context.CancelFunc
	joined        sync.WaitGroup
}

// stay starts a viewer that ends with the test.
func stay(t *testing.T, p *process.Process, dashboard string) *stayer {
	t.Helper()
	c, err := client.New(client.Options{Server: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &stayer{dashboard: dashboard, client: c, sub: c.Subscribe(client.SubscribeOptions{Dashboard: dashboard}), moved: make(chan struct{}), stop: stop}
	v.joined.Go(func() { v.watch(ctx) })
	t.Cleanup(func() {
		stop()
		v.joined.Wait()
		v.sub.Close()
		c.Close()
	})
	return v
}

func (v *stayer) watch(ctx context.Context) {
	for {
		e, err := v.sub.Next(ctx)
		if err != nil {
			return
		}
		v.mu.Lock()
		switch e.(type) {
		case *client.Disconnected:
			v.disconnected++
		case *client.Snapshot, *client.Update:
			v.frames++
			place := v.sub.Place()
			if place.Version < v.place.Version {
				v.wentBackwards = append(v.wentBackwards, fmt.Sprintf("%s after %s", place, v.place))
			}
			v.place, v.held = place, contents(v.sub.View().Cells())
		}
		close(v.moved)
		v.moved = make(chan struct{})
		v.mu.Unlock()
	}
}

// equals waits until the viewer is at the server's version, and compares the two.
func (v *stayer) equals(t *testing.T, p *process.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		reading, err := v.client.Read(ctx, v.dashboard, client.ReadOptions{})
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		v.mu.Lock()
		place, held, moved := v.place, v.held, v.moved
		v.mu.Unlock()
		if place.Version == reading.Version {
			v.compare(t, reading, place, held)
			return
		}
		select {
		case <-moved:
		case <-time.After(time.Second):
		case <-ctx.Done():
			t.Fatalf("the viewer is at %s, the server at %s:%d: %v", place, reading.Epoch, reading.Version, errors.Join(ctx.Err()))
		}
	}
}

func (v *stayer) compare(t *testing.T, reading client.Reading, place messages.Place, held map[string]string) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	t.Logf("viewer: %d frames, %d disconnects, at %s", v.frames, v.disconnected, place)
	if v.frames == 0 || v.disconnected == 0 {
		t.Errorf("want frames and disconnects, got %d and %d: the viewer saw no restart", v.frames, v.disconnected)
	}
	for _, w := range v.wentBackwards {
		t.Errorf("version went back: %s", w)
	}
	if place.Epoch.String() != reading.Epoch {
		t.Errorf("epoch %s, the server's %s", place.Epoch, reading.Epoch)
	}
	server, err := wire.ParseCells(reading.Cells)
	if err != nil {
		t.Fatalf("cells of the reading: %v", err)
	}
	want := map[string]string{}
	for _, c := range server {
		want[identity(c.Panel, c.Start, c.Group)] = value(c.Revision, c.End, c.Row)
	}
	if len(want) != len(held) {
		t.Errorf("the viewer holds %d cells, the server %d", len(held), len(want))
	}
	for k, w := range want {
		if held[k] != w {
			t.Errorf("cell %s: the viewer has %q, the server %q", k, held[k], w)
		}
	}
}

func contents(cs []cells.Cell) map[string]string {
	m := make(map[string]string, len(cs))
	for _, c := range cs {
		m[identity(c.Panel, c.Start, c.Group)] = value(c.Revision, c.End, c.Row)
	}
	return m
}

func identity(panel uint16, start int64, g cells.Group) string {
	return fmt.Sprintf("%d %d %q", panel, start, string(g))
}

func value(revision uint32, end int64, r cells.Row) string {
	return fmt.Sprintf("%d %d %q", revision, end, string(r))
}
