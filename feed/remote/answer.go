package remote

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	// longestPatience is the greatest time that an owner works on a call, and that a gateway waits
	// for one, whatever its deadline.
	longestPatience = 2 * time.Minute
	// mostAnswers is how many bytes of answers to a gateway's calls may wait to be sent; a single
	// answer may be larger.
	mostAnswers = 8 << 20
)

// caller is a gateway with calls in progress.
type caller struct {
	calls int          // guarded by the server's mu
	bytes atomic.Int64 // total length of the answers that are being sent
}

// call answers one call.
func (s *Server) call(stream grpc.ServerStream) error {
	var m link.Message
	if err := stream.RecvMsg(&m); err != nil {
		return err
	}
	b := []byte{last}
	peer := link.From(stream.Context())
	c := s.calling(peer)
	if c == nil {
		s.stats.dropped.Inc()
		return s.answer(stream, appendError(b, errBusy))
	}
	defer s.called(peer)
	b = s.perform(stream.Context(), b, m)
	if len(b) > MaxPayloadBytes {
		s.cfg.Logger.Error("did not send an answer: it is too large for the link", "gateway", peer.String(), "bytes", len(b), "most", MaxPayloadBytes)
		b = appendError(b[:1], errParts)
	}
	size := int64(len(b))
	defer c.bytes.Add(-size)
	if all := c.bytes.Add(size); all > size && all > mostAnswers {
		s.stats.dropped.Inc()
		b = appendError([]byte{last}, errBusy)
	}
	return s.answer(stream, b)
}

func (s *Server) answer(stream grpc.ServerStream, b []byte) error {
	return send(stream, b, func(n int) {
		s.stats.messages.Inc()
		s.stats.bytes.Add(float64(n))
	})
}

// calling counts a call of the peer; it returns nil if the peer has reached its limit.
func (s *Server) calling(peer link.Peer) *caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callers[peer]
	if c == nil {
		c = &caller{}
		s.callers[peer] = c
	}
	if c.calls >= s.cfg.Bounds.Requests {
		return nil
	}
	c.calls++
	return c
}

func (s *Server) called(peer link.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.callers[peer]
	if c.calls--; c.calls == 0 {
		delete(s.callers, peer)
	}
}

// perform asks the feed and appends its answer. Close waits for perform, but not for sending the
// answer, which may take as long as the gateway likes.
func (s *Server) perform(ctx context.Context, b, m []byte) []byte {
	if !s.enter() {
		return appendError(b, feed.ErrClosed)
	}
	defer s.wg.Done()
	ctx, cancel := context.WithTimeout(ctx, longestPatience)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	answered, err := s.ask(ctx, append(b, 0), m) // code 0: no error
	if err != nil {
		return appendError(b[:1], err)
	}
	return answered
}

func appendError(b []byte, err error) []byte {
	code, text := errorOut(err)
	return append(binary.AppendUvarint(b, code), text...)
}

func (s *Server) ask(ctx context.Context, b, m []byte) ([]byte, error) {
	if len(m) == 0 {
		return nil, errItem
	}
	r := reader{b: m[1:]}
	switch m[0] {
	case callRead:
		k, q := messages.Key{Tenant: r.text(), Dashboard: r.text()}, readQuery(&r)
		if r.failed {
			return nil, errItem
		}
		got, err := s.cfg.Feed.Read(ctx, k, q)
		if err != nil {
			return nil, err
		}
		return appendReading(b, &got)
	case callList:
		tenant, prefix, after, limit := r.text(), r.text(), r.text(), r.uvarint()
		if r.failed {
			return nil, errItem
		}
		found, err := s.cfg.Feed.List(ctx, tenant, prefix, after, int(limit))
		for _, f := range found {
			b = appendSummary(b, f)
		}
		return b, err
	case callDefault:
		k := messages.Key{Tenant: r.text(), Dashboard: r.text()}
		if r.failed {
			return nil, errItem
		}
		d, err := s.cfg.Feed.Default(ctx, k)
		return appendDefinition(b, d), err
	case callRoom:
		return s.room(ctx, b, &r)
	}
	return nil, errUnknownCall
}
