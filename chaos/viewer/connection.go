package viewer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	readTimeout  = 75 * time.Second // the server pings every 25 s
	greetTimeout = 20 * time.Second
	handOvers    = 20 // attempts to hand over a draining connection
)

// stay keeps a connection open until ctx ends.
func (v *Viewer) stay(ctx context.Context) {
	for ctx.Err() == nil {
		c, err := v.open(ctx)
		if err == nil {
			err = c.read(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		v.mu.Lock()
		v.counts.Losses++
		v.counts.LastLoss = fmt.Sprintf("%s: %v", v.config.Gateways[v.gateway%len(v.config.Gateways)], err)
		v.gateway++
		v.mu.Unlock()
		select {
		case <-time.After(rand.N(reconnect)):
		case <-ctx.Done():
		}
	}
}

// connection is one WebSocket of a viewer. One goroutine reads it.
type connection struct {
	viewer *Viewer
	ws     *websocket.Conn
	views  map[messages.View]*subscription
	byID   map[int64]*subscription
}

// subscription is one dashboard on one connection.
type subscription struct {
	dashboard string
	*watched
	id       messages.View
	epoch    messages.Epoch
	to       uint64 // of the last update here, or the version that it resumed from
	since    *wire.Place
	answered bool
	void     bool // only an update from 0 may come
}

// open connects and subscribes to all dashboards from the held places.
func (v *Viewer) open(ctx context.Context) (*connection, error) {
	gateway := v.Gateway()
	d := websocket.Dialer{HandshakeTimeout: 5 * time.Second, ReadBufferSize: 16 << 10, WriteBufferSize: 4 << 10}
	ws, _, err := d.DialContext(ctx, strings.Replace(gateway, "http", "ws", 1)+"/v1/ws", nil)
	if err != nil {
		return nil, err
	}
	c := &connection{viewer: v, ws: ws, views: map[messages.View]*subscription{}, byID: map[int64]*subscription{}}
	for i, name := range v.config.Dashboards {
		v.mu.Lock()
		w := v.watched[name]
		s := &subscription{dashboard: name, watched: w}
		if place := w.view.Place(); !w.view.Empty() && place.Version != 0 {
			s.since = &wire.Place{Epoch: place.Epoch.String(), Version: place.Version, View: place.View.String()}
		}
		c.byID[int64(i+1)] = s
		v.mu.Unlock()
		if err := ws.WriteMessage(websocket.TextMessage, wire.Encode(&wire.Subscribe{ID: new(int64(i + 1)), Dashboard: name, Since: s.since})); err != nil {
			ws.Close()
			return nil, err
		}
	}
	return c, nil
}

// read reads until the connection or ctx ends. On a drain it opens another connection in the given
// slot, and reads on until the other one has answered for every dashboard.
func (c *connection) read(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.ws.Close() })()
	defer c.ws.Close()
	var next chan *connection
	hurry := make(chan struct{})
	for {
		c.ws.SetReadDeadline(time.Now().Add(readTimeout))
		f, err := c.next()
		if err != nil {
			close(hurry)
			if next != nil {
				if other := <-next; other != nil {
					c.viewer.count(func(n *Counts) { n.Drains++ })
					return other.read(ctx)
				}
			}
			return err
		}
		if d, ok := f.(*wire.Drain); ok && next == nil {
			next = make(chan *connection, 1)
			// the caller waits for it: this connection ends after it
			go func() { next <- c.handOver(ctx, d, hurry) }()
			continue
		}
		c.take(f)
	}
}

// handOver opens the connection that replaces this one, and ends this one. It returns nil if none
// could be opened.
func (c *connection) handOver(ctx context.Context, d *wire.Drain, hurry <-chan struct{}) *connection {
	defer c.ws.Close()
	wait := time.Duration(d.After) * time.Millisecond
	if d.Within > 0 {
		wait += rand.N(time.Duration(d.Within) * time.Millisecond)
	}
	select {
	case <-time.After(wait):
	case <-hurry:
	case <-ctx.Done():
	}
	v := c.viewer
	for range handOvers {
		v.mu.Lock()
		v.gateway++
		v.mu.Unlock()
		if other, err := v.open(ctx); err == nil {
			if err := other.greet(ctx); err == nil {
				return other
			}
		}
		select {
		case <-time.After(rand.N(reconnect)):
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// greet reads until every subscription has its answer.
func (c *connection) greet(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.ws.Close() })()
	c.ws.SetReadDeadline(time.Now().Add(greetTimeout))
	for waiting := len(c.byID); waiting > 0; {
		f, err := c.next()
		if err != nil {
			c.ws.Close()
			return err
		}
		if c.take(f) {
			waiting--
		}
	}
	return nil
}

// next reads one frame.
func (c *connection) next() (wire.Frame, error) {
	_, data, err := c.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	f, err := wire.ParseFrame(data)
	if err != nil {
		return nil, c.broken("a frame does not parse: %v: %.200s", err, data)
	}
	return f, nil
}

// broken records a broken rule that ends the connection.
func (c *connection) broken(format string, args ...any) error {
	c.viewer.mu.Lock()
	defer c.viewer.mu.Unlock()
	c.viewer.problem(format, args...)
	c.ws.Close()
	return fmt.Errorf(format, args...)
}

func (v *Viewer) count(change func(*Counts)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.counts)
}
