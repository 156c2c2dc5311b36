package remote

import (
	"context"
	"encoding/binary"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// mostClosings is how many closings wait for an owner that does not read; beyond it the stream is
// opened again.
const mostClosings = 65_536

// source is an owner at which a gateway follows dashboards, or which it calls. The client joins its
// goroutines, run and hear; the client's mu guards everything except the connection.
type source struct {
	client *Client
	peer   link.Peer
	conn   *link.Conn
	wake   chan struct{}

	subscriptions map[uint64]*subscription
	changed       []*subscription // opened or asked since the last message
	closings      []uint64        // ids of the subscriptions that ended since then
	calls         int             // in progress
	heardAt       time.Time
	idleBeats     int
	breakOff      context.CancelFunc // ends the stream; nil: there is none
}

// touch marks a subscription as changed.
func (s *source) touch(sub *subscription) {
	if !sub.waits {
		sub.waits = true
		s.changed = append(s.changed, sub)
	}
	wake(s.wake)
}

// close marks a subscription as ended.
func (s *source) close(sub *subscription) {
	delete(s.subscriptions, sub.id)
	switch {
	case !sub.opened:
	case len(s.closings) < mostClosings:
		s.closings = append(s.closings, sub.id)
		wake(s.wake)
	case s.breakOff != nil:
		s.breakOff()
	}
}

// run follows at the owner, on one stream after another, until there is nothing left to follow.
func (s *source) run() {
	defer s.conn.Close()
	for {
		over, err := s.stream()
		if over || s.client.ctx.Err() != nil {
			return
		}
		if code := status.Code(err); code == codes.ResourceExhausted || code == codes.FailedPrecondition {
			s.client.warn("an owner refuses this gateway's stream: trying again", s.peer, err)
		} else {
			s.client.cfg.Logger.Debug("the stream from an owner ended: opening another", "owner", s.peer.String(), "reason", err)
		}
		select {
		case <-s.client.ctx.Done():
			return
		case <-time.After(beatEvery):
		}
		if s.idle() {
			return
		}
	}
}

// idle counts a beat, and removes the source if it has been unused for some beats.
func (s *source) idle() (over bool) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(s.subscriptions) > 0 || s.calls > 0 {
		s.idleBeats = 0
		return false
	}
	if s.idleBeats++; s.idleBeats <= silentBeats {
		return false
	}
	delete(c.sources, s.peer)
	for _, sh := range c.shards { // none of them has a subscription
		if sh.source == s {
			c.point(sh, link.Peer{}, false)
		}
	}
	c.Moved()
	return true
}

// stream follows on one stream until it breaks. It opens all subscriptions again, from their
// places.
func (s *source) stream() (over bool, err error) {
	ctx, cancel := context.WithCancel(s.client.ctx)
	defer cancel()
	stream, err := s.conn.NewStream(ctx, &service.Streams[0], followMethod)
	if err != nil {
		return false, err
	}
	s.reopenAll(cancel)
	ended := make(chan error, 1)
	s.client.wg.Go(func() { ended <- s.hear(stream) })
	over, err = s.send(stream, ended)
	cancel()
	if err == nil {
		err = <-ended // afterwards hear reads nothing more
	}
	return over, err
}

// reopenAll marks all subscriptions to be opened on a new stream.
func (s *source) reopenAll(breakOff context.CancelFunc) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	s.breakOff, s.closings = breakOff, nil
	s.changed = s.changed[:0]
	for _, sub := range s.subscriptions {
		if sub.opened && sub.asks() {
			s.client.stats.lost.Inc()
		}
		sub.opened, sub.waits, sub.told = false, false, 0
		s.touch(sub)
	}
}

// send sends what changed until the stream ends or there is nothing to follow: over. The error is
// hear's.
func (s *source) send(stream grpc.ClientStream, ended <-chan error) (over bool, err error) {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	var sentAt time.Time
	var b []byte
	for {
		select {
		case err := <-ended:
			return false, err
		case <-beat.C:
			if s.idle() {
				return true, nil
			}
			continue
		case <-s.wake:
		case <-flush.C:
		}
		if next := time.Until(sentAt.Add(s.client.cfg.Flush)); next > 0 {
			flush.Reset(next)
			continue
		}
		sentAt = time.Now()
		for b = s.message(b[:0]); len(b) > 0; b = s.message(b[:0]) {
			if stream.SendMsg((*link.Message)(&b)) != nil {
				return false, <-ended // hear says why
			}
		}
	}
}

// message returns the next message with what changed; empty if nothing has.
func (s *source) message(b []byte) []byte {
	const room = 1 << 10 // for one more item
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	n := 0
	for ; n < len(s.closings) && len(b) < MaxMessageBytes-room; n++ {
		at := len(b)
		b = end(binary.AppendUvarint(begin(b, itemClose), s.closings[n]), at)
	}
	s.closings = s.closings[n:]
	for n = 0; n < len(s.changed) && len(b) < MaxMessageBytes-room; n++ {
		sub := s.changed[n]
		if s.subscriptions[sub.id] == sub {
			b = sub.append(b)
		}
		s.changed[n] = nil
	}
	if s.changed = s.changed[n:]; len(s.changed) == 0 {
		s.changed = nil
	}
	return b
}

// hear processes what the owner sends until the stream ends.
func (s *source) hear(stream grpc.ClientStream) error {
	var parts assembly
	var m link.Message
	for {
		if err := stream.RecvMsg(&m); err != nil {
			return err
		}
		whole, ok, err := parts.take(m)
		s.client.mu.Lock()
		s.heardAt = time.Now()
		s.client.mu.Unlock()
		if ok {
			err = s.take(whole)
		}
		if err != nil {
			s.client.refuse(s.peer, err)
			return err
		}
		if cap(m) > MaxMessageBytes {
			m = nil
		}
	}
}

// take processes a message.
func (s *source) take(m []byte) error {
	all := reader{b: m}
	for what, r, ok := all.item(); ok; what, r, ok = all.item() {
		var err error
		switch what {
		case itemUpdate:
			err = s.update(r.uvarint(), r.uvarint(), &r)
		case itemLag:
			s.lag(int(r.uvarint()), r.varint())
		}
		if err == nil {
			err = r.err()
		}
		if err != nil {
			return err
		}
	}
	return all.err()
}

func (s *source) update(id, ask uint64, r *reader) error {
	s.client.mu.Lock()
	sub := s.subscriptions[id]
	s.client.mu.Unlock()
	if sub == nil {
		return nil // the subscription is closed
	}
	return sub.accept(s, id, ask, r)
}

func (s *source) lag(shard int, ms int64) {
	s.client.mu.Lock()
	defer s.client.mu.Unlock()
	if sh := s.client.shards[shard]; sh != nil && sh.source == s {
		sh.lag = ms
	}
}
