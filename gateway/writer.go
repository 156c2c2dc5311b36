package gateway

import (
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// wake makes a writer check the session. It takes no lock, so that a mirror can call it.
func (s *session) wake() {
	for {
		switch s.writer.Load() {
		case writerIdle:
			if s.writer.CompareAndSwap(writerIdle, writerRuns) {
				s.srv.wg.Add(1)
				go s.write()
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
	defer s.srv.wg.Done()
	for {
		for s.writeNext() {
		}
		if s.writer.CompareAndSwap(writerRuns, writerIdle) {
			return
		}
		s.writer.Store(writerRuns)
	}
}

// writeNext sends one batch: the waiting answers, or what the next subscription has, or the close.
// The next update is encoded only after the connection has taken the one before.
func (s *session) writeNext() (more bool) {
	b, sub := s.pick()
	if sub != nil {
		b.messages, b.update = sub.next(time.Now())
		if sub.refused {
			s.drop(sub)
		}
	}
	if b.empty() {
		return sub != nil
	}
	err := s.put(b)
	if b.closing != 0 || err != nil {
		s.last(err)
		return false
	}
	return true
}

// pick chooses what to write next: a batch, or a subscription. A close is sent together with the
// waiting answers.
func (s *session) pick() (b outgoing, sub *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return b, nil
	}
	b.messages, s.answers = s.answers, nil
	if b.closing = s.closing; b.closing != 0 {
		return b, nil
	}
	if s.leaving != nil {
		b.messages = append(b.messages, *s.leaving)
		s.leaving = nil
	}
	if s.expiring != nil {
		b.messages = append(b.messages, *s.expiring)
		s.expiring = nil
	}
	b.ping, s.ping = s.ping, false
	if !b.empty() {
		s.moved.Broadcast()
		return b, nil
	}
	for i := range s.subs {
		n := (s.turn + i) % len(s.subs)
		if s.subs[n].dirty.Load() && s.held() {
			return b, nil // it stays dirty
		}
		if s.subs[n].dirty.Swap(false) {
			s.turn = n + 1
			return b, s.subs[n]
		}
	}
	return b, nil
}

// put writes a batch.
func (s *session) put(b outgoing) error {
	start := time.Now()
	s.mu.Lock()
	if s.closing == 0 { // otherwise close has set the last deadline
		s.conn.limitWrites(start.Add(s.srv.cfg.Sessions.WriteTimeout))
	}
	s.mu.Unlock()
	n, err := s.conn.write(b)
	s.srv.stats.bytes.Add(float64(n))
	s.sent(n)
	s.srv.stats.writes.Observe(time.Since(start).Seconds())
	return err
}

// last ends writing. After a close, the client has a short time to answer. After an error, the
// connection is closed.
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
		s.conn.close()
		return
	}
	s.conn.hangUp(time.Now().Add(closeGrace))
}
