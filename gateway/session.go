package gateway

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxControl is how many answers to a client's messages wait for the socket; then its messages
// wait.
const maxControl = 64

// closeGrace is how long a close may take: to get out, and then to be answered.
const closeGrace = time.Second

// session is one client connection. Its reader goroutine lives as long as it does; a writer is
// started when there is something to send and none runs, and ends when there is nothing. Both count
// in the server's WaitGroup. It has no queue: what is to be sent is asked of the subscriptions when
// the socket takes it.
type session struct {
	srv  *Server
	conn net.Conn // is written to
	in   incoming // the reader's
	// takes a message, on the reader; nil: what the client sends is ignored
	receive func(op byte, b []byte)
	plain   bool
	caller  caller
	slot    uint8 // which beat of the ticker pings it
	bad     uint8 // bad messages in a row; the reader's

	writer atomic.Uint32 // writerIdle, writerRuns, writerAgain
	heard  atomic.Int64  // when the client was last heard, unix ms

	mu        sync.Mutex
	moved     sync.Cond // on mu: control was taken, or the close was written
	control   [][]byte  // answers, in order
	slotFrame []byte    // the drain's
	ping      bool
	closing   wire.CloseCode // 0: open
	over      bool           // nothing is written any more
	turn      int            // the subscription that is looked at first
	subs      []*subscription
}

// states of the writer.
const (
	writerIdle uint32 = iota
	writerRuns
	writerAgain // runs, and has to look again
)

// newSession takes over a connection that has been upgraded.
func newSession(srv *Server, conn net.Conn, plain bool, c caller) *session {
	s := &session{srv: srv, conn: conn, plain: plain, caller: c}
	s.in = incoming{r: bufio.NewReaderSize(conn, readBuffer), limit: srv.cfg.Sessions.FrameBytes, control: s.onControl}
	s.moved.L = &s.mu
	s.heard.Store(time.Now().UnixMilli())
	if tcp, ok := s.conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the kernel would queue megabytes of stale updates
	}
	return s
}

// sendBuffer is the size of a session's kernel send buffer: what a slow client has yet to read of
// the past.
const sendBuffer = 32 << 10

// onControl takes a ping or a pong.
func (s *session) onControl(op byte, payload []byte) {
	s.heard.Store(time.Now().UnixMilli())
	if op == opPing {
		s.queue(controlFrame(opPong, string(payload)), nil)
	}
}

// read is the reader goroutine: it handles messages until the connection ends, and then everything
// of the session.
func (s *session) read() {
	defer s.finish()
	for {
		if err := s.readNext(); err != nil {
			s.ended(err)
			return
		}
	}
}

// readNext reads one message and handles it. An idle session holds no buffer for it.
func (s *session) readNext() error {
	h, err := s.in.next()
	if err != nil {
		return err
	}
	b := messageBuffers.Get().(*[]byte)
	defer messageBuffers.Put(b)
	if *b, err = s.in.rest(h, (*b)[:0]); err != nil {
		return err
	}
	s.heard.Store(time.Now().UnixMilli())
	if s.receive != nil && !s.isClosing() {
		s.receive(h.op, *b)
	}
	return nil
}

var messageBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// ended answers what ended reading: the client's close, or what it did against the rules.
func (s *session) ended(err error) {
	var v *violation
	switch {
	case errors.Is(err, errPeerCloses):
		s.close(wire.CloseNormal)
	case errors.As(err, &v):
		if v.code == wire.CloseTooBig && !s.plain {
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
		// What it still sends would, unread, reset the connection, and the close be lost on the
		// way. The read deadline that last has set bounds it.
		_, _ = io.Copy(io.Discard, s.conn)
	}
}

// finish ends everything of the session. It runs once, on the reader.
func (s *session) finish() {
	s.mu.Lock()
	s.over = true
	subs := s.subs
	s.subs = nil
	s.mu.Unlock()
	_ = s.conn.Close()
	for _, sub := range subs {
		sub.end(s.srv.mirrors)
	}
	s.srv.conns.ended(s.conn)
	s.srv.remove(s, s.caller)
}

func (s *session) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing != 0
}

// close begins to close the session: what is being written has a last moment, then the close goes
// out.
func (s *session) close(code wire.CloseCode) {
	s.mu.Lock()
	first := s.closing == 0 && !s.over
	if first {
		s.closing = code
		_ = s.conn.SetWriteDeadline(time.Now().Add(closeGrace))
		s.moved.Broadcast()
	}
	s.mu.Unlock()
	if first {
		s.srv.stats.closes.WithLabelValues(code.Word()).Inc()
		s.wake()
	}
}

// send queues an answer. Only the reader calls it: where the queue is full, the client's next
// message waits.
func (s *session) send(f wire.Frame) { s.sendWith(f, nil) }

// sendWith queues an answer and, in the same moment, does what must not be seen before it.
func (s *session) sendWith(f wire.Frame, also func()) { s.queue(textFrame(wire.Encode(f)), also) }

// queue is sendWith for a frame as bytes.
func (s *session) queue(b []byte, also func()) {
	s.mu.Lock()
	for len(s.control) >= maxControl && s.closing == 0 && !s.over {
		s.moved.Wait()
	}
	if s.closing == 0 {
		s.control = append(s.control, b)
	}
	if also != nil {
		also()
	}
	s.mu.Unlock()
	s.wake()
}

// beat pings the session, or closes it where it was not heard for too long.
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

// subscribed is the subscription of that view.
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

// isTimeout reports whether a write ended by its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
