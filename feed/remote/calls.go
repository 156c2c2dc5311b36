package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Read implements feed.Feed. While no node serves the shard it waits, as long as ctx and the
// configured time allow; then it returns ErrStarting if a node is loading the shard, else
// ErrUnserved. It does not wait if the shard has already been unserved for that long.
func (c *Client) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return feed.Reading{}, fmt.Errorf("read %s: %w", k, err)
	}
	if q.After != nil && q.After.Partition != n {
		return feed.Reading{}, fmt.Errorf("%w: partition %d was given, %s is in %d", feed.ErrPartition, q.After.Partition, k, n)
	}
	answer, err := c.callShard(ctx, n, q.After != nil, appendQuery(appendKey([]byte{callRead}, k), q))
	if err != nil {
		return feed.Reading{}, err
	}
	return readReading(answer)
}

// Default implements feed.Feed.
func (c *Client) Default(ctx context.Context, k messages.Key) (feed.DefinitionInForce, error) {
	n, err := c.cfg.Directory.PartitionOf(k)
	if err != nil {
		return feed.DefinitionInForce{}, fmt.Errorf("default definition of %s: %w", k.Tenant, err)
	}
	answer, err := c.callShard(ctx, n, false, appendKey([]byte{callDefault}, k))
	if err != nil {
		return feed.DefinitionInForce{}, err
	}
	_, body, _ := answer.item()
	return readDefinition(body)
}

// callShard calls the node that serves the shard.
func (c *Client) callShard(ctx context.Context, n int, waits bool, body []byte) (reader, error) {
	if c.unservedForLong(n) {
		return reader{}, fmt.Errorf("shard %d: %w, and none has served it for a while", n, feed.ErrUnserved)
	}
	r := &request{client: c, body: body, waits: waits, number: n}
	return r.perform(ctx)
}

// callPeer calls a peer.
func (c *Client) callPeer(ctx context.Context, peer link.Peer, body []byte) (reader, error) {
	r := &request{client: c, body: body, peer: peer}
	return r.perform(ctx)
}

// unservedForLong reports whether no node has served the shard for so long that waiting is useless:
// a shard whose log has a hole waits for an operator.
func (c *Client) unservedForLong(n int) bool {
	if _, ok := c.cfg.Directory.Source(n); ok {
		return false
	}
	st := c.cfg.Directory.Status(n)
	return st.State == wire.StateStale && !st.Since.IsZero() && time.Since(st.Since) > c.cfg.Wait
}

// unserved returns the error for a shard that no node is heard to serve.
func (c *Client) unserved(n int) error {
	if c.cfg.Directory.Status(n).State == wire.StateMoving {
		return fmt.Errorf("%w: shard %d is moving to another node", feed.ErrStarting, n)
	}
	return fmt.Errorf("shard %d: %w", n, feed.ErrUnserved)
}

// request is one reading, listing or default in progress. It calls the shard's source, or a given
// peer, and calls again as long as the answer may change.
type request struct {
	client *Client
	body   []byte
	waits  bool // waits for a position, as long as its caller allows
	peer   link.Peer
	number int
	shard  *shard // nil: the request goes to peer

	source *source // the source asked last; nil: there was none to ask
	last   error   // the source's last error if that may change, or why it did not answer
}

// errSilent means that a source gave no answer.
var errSilent = errors.New("no answer")

// perform calls until it gets an answer, ctx ends, or the configured time is over. The configured
// time does not apply while the source waits for a position.
func (r *request) perform(ctx context.Context) (reader, error) {
	if err := r.enter(); err != nil {
		return reader{}, err
	}
	defer r.exit()
	patience, cancel := context.WithTimeout(ctx, r.client.cfg.Wait)
	defer cancel()
	limit := patience
	if r.waits {
		limit, cancel = context.WithTimeout(ctx, longestPatience)
		defer cancel()
	}
	for {
		here, answer := r.try(limit)
		silent := errors.Is(r.last, errSilent)
		if r.source != nil && (r.last == nil || limit.Err() == nil && !silent && !again(r.last)) {
			return answer, r.last
		}
		pause := limit
		if !silent {
			pause = patience // no source is waiting for the position
		}
		select {
		case <-here.Done():
		case <-time.After(beatEvery):
		case <-pause.Done():
		}
		switch {
		case r.client.ctx.Err() != nil:
			return reader{}, feed.ErrClosed
		case pause.Err() != nil:
			return reader{}, r.gaveUp(ctx.Err())
		}
	}
}

// try calls the source, if there is one. here ends when another source is to be asked.
func (r *request) try(ctx context.Context) (here context.Context, answer reader) {
	c := r.client
	c.mu.Lock()
	if r.shard != nil {
		r.source, here = r.shard.source, r.shard.here
	} else {
		r.source, here = c.source(r.peer), c.ctx
	}
	s := r.source
	if s != nil {
		s.calls++
	}
	c.mu.Unlock()
	if s == nil {
		r.last = nil
		return here, reader{}
	}
	answer, err := s.call(ctx, here, r.body)
	late := ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded
	// the source's own error says more than the timeout
	if r.last == nil || !late || !errors.Is(err, errSilent) {
		r.last = err
	}
	c.mu.Lock()
	s.calls--
	c.mu.Unlock()
	return here, answer
}

// call makes one call to an owner. It ends when the owner answers, ctx ends or here ends.
func (s *source) call(ctx, here context.Context, body []byte) (reader, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(here, cancel)()
	unanswered := func(err error) error {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%w of %s: %w", errSilent, s.peer, err)
	}
	stream, err := s.conn.NewStream(ctx, &service.Streams[1], callMethod)
	if err == nil {
		err = stream.SendMsg((*link.Message)(&body))
	}
	if err == nil || err == io.EOF { // RecvMsg says why it ended
		err = stream.CloseSend()
	}
	var parts assembly
	for err == nil {
		var m link.Message
		var whole []byte
		var ok bool
		if err = stream.RecvMsg(&m); err != nil {
			break
		}
		if whole, ok, err = parts.take(m); ok {
			r := reader{b: whole}
			code := r.uvarint()
			if r.failed {
				return reader{}, errItem
			}
			return r, errorIn(code, string(r.b))
		}
	}
	return reader{}, unanswered(err)
}

func (r *request) enter() error {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return feed.ErrClosed
	case c.requests >= c.cfg.Requests:
		return fmt.Errorf("%w: at most %d", errRequests, c.cfg.Requests)
	}
	c.requests++
	if r.peer == (link.Peer{}) {
		r.shard = c.shard(r.number)
		r.shard.requests++
	}
	return nil
}

func (r *request) exit() {
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	r.client.requests--
	if r.shard != nil {
		r.shard.requests--
	}
}

// gaveUp returns the error for a request that was not answered in time.
func (r *request) gaveUp(ended error) error {
	switch {
	case errors.Is(ended, context.Canceled):
		return ended
	case r.source == nil && r.shard != nil:
		return r.client.unserved(r.number)
	case r.source == nil:
		return fmt.Errorf("%w: no node is heard to serve it", feed.ErrStarting)
	case errors.Is(r.last, feed.ErrStarting) || errors.Is(r.last, feed.ErrUnserved):
		return r.last
	case r.waits && !again(r.last):
		return feed.ErrNotInTime
	}
	return fmt.Errorf("%w: %w", feed.ErrStarting, r.last)
}
