package gateway

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxAnswers is how many answers to a client's messages may wait for the socket. When they are
// full, the client's messages wait.
const maxAnswers = 64

// closeGrace is how long a close may take to be written, and then again to be answered.
const closeGrace = time.Second

// session is one client. Its reader goroutine lives as long as its connection. A writer is started
// when there is something to send and none runs, and ends when there is nothing left. Both count in
// the server's WaitGroup. The session has no queue of updates: it asks its subscriptions for what
// to send when the connection can take it.
type session struct {
	srv  *Server
	conn transport
	// who asks; see who and become
	caller atomic.Pointer[caller]
	// what it was when the session began: what was taken from limits is given back to it
	admitted caller
	// handles a message, on the reader; nil: the client only listens, and its messages are ignored
	receive func(s *session, kind messageKind, b []byte)
	slot    uint8 // the beat of the ticker that pings it
	bad     uint8 // bad messages in a row; used by the reader
	toomany uint8 // messages in a row beyond a limit; used by the reader

	writer atomic.Uint32 // writerIdle, writerRuns, writerAgain
	heard  atomic.Int64  // when the client was last heard, unix ms
	// when loginDue has something to do, unix ms; 0: never
	loginAt atomic.Int64

	mu       sync.Mutex
	moved    sync.Cond // on mu: answers were taken, or the close was written
	answers  []message // in order
	leaving  *message  // the drain's slot
	expiring *message  // that the token expires
	ping     bool
	closing  wire.CloseCode // 0: open
	over     bool           // nothing is written any more
	pace     *time.Timer    // ends the wait for subject-bytes; nil: the session does not wait
	turn     int            // index of the subscription to check first
	subs     []*subscription
}

// States of the writer.
const (
	writerIdle uint32 = iota
	writerRuns
	writerAgain // runs, and has to check again
)

// newSession returns the session of a connection. Server.start starts it.
func newSession(srv *Server, conn transport, c caller, receive func(s *session, kind messageKind, b []byte)) *session {
	s := &session{srv: srv, conn: conn, admitted: c, receive: receive}
	s.moved.L = &s.mu
	s.become(c)
	s.alive()
	return s
}

// alive records that the client was heard.
func (s *session) alive() { s.heard.Store(time.Now().UnixMilli()) }

// read is the reader goroutine. It handles messages until the connection ends, and then cleans up
// the session.
func (s *session) read() {
	defer s.finish()
	take := s.take
	for {
		if err := s.conn.read(take); err != nil {
			s.ended(err)
			return
		}
	}
}

// take handles one message of the client.
func (s *session) take(kind messageKind, b []byte) {
	s.alive()
	if s.receive != nil && !s.isClosing() {
		s.receive(s, kind, b)
	}
}

// ended responds to the end of reading: the client's close, or its violation of the rules.
func (s *session) ended(err error) {
	var v *violation
	switch {
	case errors.Is(err, errClosed):
		s.close(wire.CloseNormal)
	case errors.As(err, &v):
		if v.code == wire.CloseTooBig && s.receive != nil {
			s.refuse(nil, wire.Errorf(wire.CodeTooBig, "%s", v.what))
		}
		s.close(v.code)
	default:
		return
	}
	s.mu.Lock()
	for !s.over {
		s.moved.Wait() // bounded by the write deadline that close has set
	}
	s.mu.Unlock()
	if v != nil {
		// Unread bytes from the client would reset the connection, and the close would be lost.
		s.conn.discard()
	}
}

// finish cleans up the session. It runs once, on the reader.
func (s *session) finish() {
	s.mu.Lock()
	s.over = true
	if s.pace != nil {
		s.pace.Stop()
	}
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	s.conn.close()
	for _, sub := range subs {
		sub.end(s.srv.mirrors)
	}
	s.srv.remove(s, s.admitted)
}

func (s *session) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing != 0
}

// close begins to close the session. A write under way gets a short time to end, and then the close
// is sent.
func (s *session) close(code wire.CloseCode) {
	s.mu.Lock()
	first := s.closing == 0 && !s.over
	if first {
		s.closing = code
		s.conn.limitWrites(time.Now().Add(closeGrace))
		s.moved.Broadcast()
	}
	s.mu.Unlock()
	if first {
		s.srv.stats.closes.WithLabelValues(code.Word()).Inc()
		s.wake()
	}
}

// send queues an answer. Only the reader calls it: if the queue is full, the client's next message
// waits.
func (s *session) send(f wire.Frame) { s.sendWith(f, nil) }

// sendWith queues an answer, and calls also under the same lock, for changes that must not be seen
// before the answer.
func (s *session) sendWith(f wire.Frame, also func()) { s.queue(messageOf(f), also) }

// queue is like sendWith, for an encoded message.
func (s *session) queue(m message, also func()) {
	s.mu.Lock()
	for len(s.answers) >= maxAnswers && s.closing == 0 && !s.over {
		s.moved.Wait()
	}
	if s.closing == 0 {
		s.answers = append(s.answers, m)
	}
	if also != nil {
		also()
	}
	s.mu.Unlock()
	s.wake()
}

// beat pings the session, or closes it if it was not heard for too long.
func (s *session) beat(now time.Time) {
	if now.UnixMilli()-s.heard.Load() >= s.srv.cfg.Sessions.PingTimeout.Milliseconds() {
		s.close(wire.ClosePing)
		return
	}
	s.mu.Lock()
	s.ping = true
	s.mu.Unlock()
	s.wake()
}

// subscribed returns the subscription of that view, or nil.
func (s *session) subscribed(view messages.View) *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs {
		if messages.View(sub.view.Load()) == view {
			return sub
		}
	}
	return nil
}
