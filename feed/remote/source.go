package remote

import (
	"container/list"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// mostClosings is how many closings a source keeps that its owner has not confirmed; beyond it the table begins anew.
const mostClosings = 65_536

// source is an owner that a gateway follows dashboards at: the table of interests there, and what is known of how far the
// owner has it. Its goroutine, run, is joined by the client; all else is guarded by the client's mu.
type source struct {
	client *Client
	peer   string
	wake   chan struct{}

	table     uint64
	version   uint64     // of the table
	acked     uint64     // the owner has
	sent      uint64     // was sent; an owner that lacks some of it says so at the next message
	order     *list.List // of subscriptions, the one that changed last at the back
	closings  []closing  // not acked, in order of stamp
	requests  map[*request]struct{}
	heardAt   time.Time
	stream    uint64
	got       uint64 // bytes
	toldGot   uint64
	assembly  assembly
	idleBeats int
}

// closing is a subscription that ended.
type closing struct {
	id    uint64
	stamp uint64
}

func newSource(c *Client, peer string) *source {
	return &source{
		client: c, peer: peer, wake: make(chan struct{}, 1), table: c.nextID(),
		order: list.New(), requests: map[*request]struct{}{}, heardAt: time.Now(),
	}
}

// touch says that a subscription changed.
func (s *source) touch(sub *subscription) {
	s.version++
	sub.stamp = s.version
	s.order.MoveToBack(sub.element)
	nudge(s.wake)
}

// close says that a subscription ended.
func (s *source) close(id uint64) {
	if len(s.closings) >= mostClosings {
		s.table = s.client.nextID()
		s.closings = nil
		s.forgotten()
		nudge(s.wake)
		return
	}
	s.version++
	s.closings = append(s.closings, closing{id, s.version})
	nudge(s.wake)
}

// forgotten says that the owner may know nothing: all is told again.
func (s *source) forgotten() {
	s.acked, s.sent = 0, 0
	s.assembly = assembly{}
}

// run sends what changed, and every beat what there is to repeat.
func (s *source) run() {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	var sentAt time.Time
	for {
		beats := false
		select {
		case <-s.client.ctx.Done():
			return
		case <-beat.C:
			beats = true
		case <-s.wake:
		case <-flush.C:
		}
		now := time.Now()
		if next := sentAt.Add(s.client.cfg.Flush); !beats && now.Before(next) {
			flush.Reset(time.Until(next))
			continue
		}
		sentAt = now
		ms, over := s.messages(beats)
		for _, m := range ms {
			s.client.cfg.Send(s.peer, seal(forOwner, m))
		}
		if over {
			return
		}
	}
}

// messages are what is to be sent now. over says that there is nothing to follow here any more: the source is taken out.
func (s *source) messages(beats bool) (ms []*envelope.ToOwner, over bool) {
	c := s.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if beats {
		if s.order.Len() == 0 && len(s.requests) == 0 {
			if s.idleBeats++; s.idleBeats > silentBeats {
				delete(c.sources, s.peer)
				return nil, true
			}
		} else {
			s.idleBeats = 0
		}
	}
	ms = s.changes()
	ms = append(ms, s.asks(beats)...)
	if len(ms) > 1 && !beats && ms[0].From == ms[0].To { // the first says nothing that the others don't
		ms = ms[1:]
	}
	for _, m := range ms {
		m.Stream, m.Got = s.stream, s.got
	}
	s.toldGot = s.got
	return ms, false
}

// asks are messages with the requests to send now.
func (s *source) asks(beats bool) (ms []*envelope.ToOwner) {
	size := roomBytes
	for r := range s.requests {
		if !beats && r.sent {
			continue
		}
		r.sent = true
		e := r.envelope()
		if size += proto.Size(e); size >= roomBytes {
			ms, size = append(ms, &envelope.ToOwner{Table: s.table, From: s.version, To: s.version}), proto.Size(e)
		}
		last := ms[len(ms)-1]
		last.Requests = append(last.Requests, e)
	}
	return ms
}

// changes are messages, at least one, that lead from what was sent to the table's version.
func (s *source) changes() []*envelope.ToOwner {
	m := &envelope.ToOwner{Table: s.table, From: s.sent}
	ms := []*envelope.ToOwner{m}
	e := s.order.Back()
	if e == nil || stampOf(e) <= s.sent {
		e = nil
	}
	for e != nil && e.Prev() != nil && stampOf(e.Prev()) > s.sent {
		e = e.Prev()
	}
	closings := s.closings
	for len(closings) > 0 && closings[0].stamp <= s.sent {
		closings = closings[1:]
	}
	const itemBytes = 96
	size := 0
	for e != nil || len(closings) > 0 {
		if size > roomBytes {
			next := &envelope.ToOwner{Table: s.table, From: m.To}
			ms, m, size = append(ms, next), next, 0
		}
		if e != nil && (len(closings) == 0 || stampOf(e) < closings[0].stamp) {
			sub := e.Value.(*subscription)
			m.Changed = append(m.Changed, sub.interest(s.acked))
			m.To = sub.stamp
			size += itemBytes + len(sub.key.Tenant) + len(sub.key.Dashboard)
			e = e.Next()
			continue
		}
		m.Closed = append(m.Closed, closings[0].id)
		m.To = closings[0].stamp
		size += itemBytes
		closings = closings[1:]
	}
	m.To = s.version
	s.sent = s.version
	return ms
}

func stampOf(e *list.Element) uint64 { return e.Value.(*subscription).stamp }
