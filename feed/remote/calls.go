package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// request is one reading, listing or default under way. It is repeated every beat until it is answered. All but reply is
// guarded by the client's mu, what is never changed apart.
type request struct {
	id       uint64
	body     *envelope.Request // what is asked; never changed
	deadline time.Time
	shard    *shard  // nil: it goes to one source and no other
	source   *source // nil: nobody to ask
	sent     bool    // to that source
	last     error   // of an answer that may change
	reply    chan *envelope.Reply
}

func (r *request) envelope() *envelope.Request {
	return &envelope.Request{Id: r.id, Patience: uint64(max(0, time.Until(r.deadline).Milliseconds())), What: r.body.What}
}

func (r *request) join(to *source) {
	r.source, r.sent = to, false
	if to != nil {
		to.requests[r] = struct{}{}
		nudge(to.wake)
	}
}

func (r *request) leave() {
	if r.source != nil {
		delete(r.source.requests, r)
		r.source = nil
	}
}

// Read implements feed.Feed. While nobody serves the shard it waits, as long as ctx and the configured time allow; then
// it is ErrStarting where somebody loads it, else ErrUnserved. It does not wait where nobody has served it for as long already.
func (c *Client) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return feed.Reading{}, fmt.Errorf("read %s: %w", k, err)
	}
	if q.After != nil && q.After.Partition != n {
		return feed.Reading{}, fmt.Errorf("%w: %d, of %s it is %d", feed.ErrPartition, q.After.Partition, k, n)
	}
	body := &envelope.Request{What: &envelope.Request_Read{Read: readOut(k, q)}}
	reply, err := c.call(ctx, n, "", q.After != nil, body)
	if err != nil {
		return feed.Reading{}, err
	}
	return readingIn(reply.GetReading())
}

// Default implements feed.Feed.
func (c *Client) Default(ctx context.Context, k messages.Key) (feed.DefinitionInForce, error) {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return feed.DefinitionInForce{}, fmt.Errorf("default definition of %s: %w", k.Tenant, err)
	}
	body := &envelope.Request{What: &envelope.Request_Default{Default: &envelope.Default{Tenant: k.Tenant, Dashboard: k.Dashboard}}}
	reply, err := c.call(ctx, n, "", false, body)
	if err != nil {
		return feed.DefinitionInForce{}, err
	}
	return definitionIn(reply.GetDefault()), nil
}

// call asks the shard's source, or the peer where one is given, until it is answered, ctx ends, or, but for one who waits
// for a position, the configured time is over.
func (c *Client) call(ctx context.Context, n int, peer string, waits bool, body *envelope.Request) (*envelope.Reply, error) {
	if peer == "" && c.forsaken(n) {
		return nil, fmt.Errorf("shard %d: %w, and none has for a while", n, feed.ErrUnserved)
	}
	r, err := c.enter(ctx, n, peer, body)
	if err != nil {
		return nil, err
	}
	defer c.exit(r)
	patience := time.NewTimer(c.cfg.Wait)
	defer patience.Stop()
	for {
		select {
		case reply := <-r.reply:
			return reply, errorIn(reply.GetCode(), reply.GetMessage())
		case <-c.ctx.Done():
			return nil, feed.ErrClosed
		case <-ctx.Done():
			return nil, c.gaveUp(r, ctx.Err(), waits)
		case <-patience.C:
			if waits && c.asked(r) {
				continue // the owner waits for the position
			}
			return nil, c.gaveUp(r, nil, false)
		}
	}
}

// forsaken reports whether nobody has served the shard for so long that to wait for somebody is no use: one whose log has a hole
// waits for an operator.
func (c *Client) forsaken(n int) bool {
	if _, ok := c.cfg.Directory.Source(n); ok {
		return false
	}
	st := c.cfg.Directory.Status(n)
	return st.State == wire.StateStale && !st.Since.IsZero() && time.Since(st.Since) > c.cfg.Wait
}

// unserved is what is told of a shard that no node is heard to serve.
func (c *Client) unserved(n int) error {
	if c.cfg.Directory.Status(n).State == wire.StateMoving {
		return fmt.Errorf("%w: shard %d is on its way to another node", feed.ErrStarting, n)
	}
	return fmt.Errorf("shard %d: %w", n, feed.ErrUnserved)
}

// enter begins a request.
func (c *Client) enter(ctx context.Context, n int, peer string, body *envelope.Request) (*request, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(longestPatience)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return nil, feed.ErrClosed
	case len(c.requests) >= c.cfg.Requests:
		return nil, fmt.Errorf("%w: at most %d", errRequests, c.cfg.Requests)
	}
	r := &request{id: c.nextID(), body: body, deadline: deadline, reply: make(chan *envelope.Reply, 1)}
	c.requests[r.id] = r
	if peer != "" {
		r.join(c.source(peer))
		return r, nil
	}
	r.shard = c.shard(n)
	r.shard.requests[r] = struct{}{}
	r.join(r.shard.source)
	return r, nil
}

func (c *Client) exit(r *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.requests, r.id)
	r.leave()
	if r.shard != nil {
		delete(r.shard.requests, r)
	}
}

// asked reports whether somebody works at the request.
func (c *Client) asked(r *request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return r.source != nil && r.last == nil
}

// gaveUp is what a caller is told whose request was not answered in time.
func (c *Client) gaveUp(r *request, ended error, waits bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case errors.Is(ended, context.Canceled):
		return ended
	case r.last != nil && !errors.Is(r.last, feed.ErrStarting) && !errors.Is(r.last, feed.ErrUnserved):
		return fmt.Errorf("%w: %w", feed.ErrStarting, r.last)
	case r.last != nil:
		return r.last
	case r.source == nil && r.shard != nil:
		return c.unserved(r.shard.number)
	case r.source == nil:
		return fmt.Errorf("%w: no node is heard to serve it", feed.ErrStarting)
	case waits:
		return feed.ErrNotInTime
	}
	return fmt.Errorf("%w: %s did not answer", feed.ErrStarting, r.source.peer)
}

// answered takes a reply in. One that may change soon is remembered, and the request goes on being repeated.
func (c *Client) answered(reply *envelope.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.requests[reply.GetRequest()]
	if r == nil {
		return
	}
	if again(reply.GetCode()) {
		r.last = errorIn(reply.GetCode(), reply.GetMessage())
		return
	}
	select {
	case r.reply <- reply:
	default: // it came twice
	}
}
