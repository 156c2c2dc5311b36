package gateway

import (
	"net"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// wake has a writer look at the session. It takes no lock, so that a mirror can call it.
func (s *session) wake() {
	for {
		switch s.writer.Load() {
		case writerIdle:
			if s.writer.CompareAndSwap(writerIdle, writerRuns) {
				s.srv.wg.Go(s.write)
				return
			}
		case writerRuns:
			if s.writer.CompareAndSwap(writerRuns, writerAgain) {
				return
			}
		default:
			return
		}
	}
}

// write is the writer goroutine: it sends until there is nothing to send.
func (s *session) write() {
	for {
		for s.writeNext() {
		}
		if s.writer.CompareAndSwap(writerRuns, writerIdle) {
			return
		}
		s.writer.Store(writerRuns)
	}
}

// writeNext sends one thing: the answers that wait, or what the next subscription has, or the
// close. The next one is only encoded when the socket has taken the one before.
func (s *session) writeNext() (more bool) {
	out, sub, closing := s.pick()
	switch {
	case sub != nil:
		out = sub.next(time.Now())
		if sub.refused {
			s.drop(sub)
		}
		if len(out) == 0 {
			return true
		}
	case len(out) == 0 && closing == 0:
		return false
	}
	if closing != 0 {
		out = append(out, closeFrame(int(closing), closing.Word()))
	}
	err := s.put(out)
	if closing != 0 || err != nil {
		s.last(err)
		return false
	}
	return true
}

// pick chooses what is to be written next. A close takes the answers that wait along.
func (s *session) pick() (out [][]byte, sub *subscription, closing wire.CloseCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, nil, 0
	}
	out, s.control = s.control, nil
	if s.closing != 0 {
		return out, nil, s.closing
	}
	if s.slotFrame != nil {
		out = append(out, s.slotFrame)
		s.slotFrame = nil
	}
	if s.ping {
		out = append(out, pingFrame)
		s.ping = false
	}
	if len(out) > 0 {
		s.moved.Broadcast()
		return out, nil, 0
	}
	for i := range s.subs {
		n := (s.turn + i) % len(s.subs)
		if s.subs[n].dirty.Swap(false) {
			s.turn = n + 1
			return nil, s.subs[n], 0
		}
	}
	return nil, nil, 0
}

var pingFrame = controlFrame(opPing, "")

// put writes frames to the socket, in one go where it can take them so.
func (s *session) put(out [][]byte) error {
	start := time.Now()
	s.mu.Lock()
	if s.closing == 0 { // else close has set the last deadline
		_ = s.conn.SetWriteDeadline(start.Add(s.srv.cfg.Sessions.WriteTimeout))
	}
	s.mu.Unlock()
	var n int64
	var err error
	if len(out) == 1 {
		var k int
		k, err = s.conn.Write(out[0])
		n = int64(k)
	} else {
		bufs := net.Buffers(out)
		n, err = bufs.WriteTo(s.conn)
	}
	s.srv.stats.bytes.Add(float64(n))
	s.srv.stats.writes.Observe(time.Since(start).Seconds())
	return err
}

// last ends writing: after a close the client has a moment to answer, after an error the connection
// is gone.
func (s *session) last(err error) {
	s.mu.Lock()
	s.over = true
	slow := isTimeout(err) && s.closing == 0
	if slow {
		s.closing = wire.CloseSlow
	}
	s.moved.Broadcast()
	s.mu.Unlock()
	if slow {
		s.srv.stats.closes.WithLabelValues(wire.CloseSlow.Word()).Inc()
	}
	if err != nil {
		_ = s.conn.Close()
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(closeGrace))
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
