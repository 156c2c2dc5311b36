package remote

import (
	"time"

	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// Receive takes a message of a peer; what is not for a gateway, or of an owner that is not followed, is passed over.
func (c *Client) Receive(from string, body []byte) {
	m := &envelope.ToGateway{}
	mine, err := open(forGateway, body, m)
	if err != nil {
		c.refuse(from, err)
		return
	}
	if !mine {
		return
	}
	s, whole, err := c.hear(from, m)
	if err != nil {
		c.refuse(from, err)
	}
	if s == nil {
		return
	}
	for _, p := range m.GetPayloads() {
		c.take(s, p)
	}
	if whole != nil {
		c.take(s, whole)
	}
}

// hear takes in where the owner stands. It gives the source, nil where the message is of no use, and the payload that the
// message's part was the last of.
func (c *Client) hear(from string, m *envelope.ToGateway) (*source, *envelope.Payload, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sources[from]
	if s == nil || m.GetStream() < s.stream {
		return nil, nil, nil
	}
	s.heardAt = time.Now()
	if m.GetStream() > s.stream {
		s.stream, s.got, s.toldGot = m.GetStream(), 0, 0
		s.forgotten()
		nudge(s.wake)
	}
	if s.got = max(s.got, m.GetSent()); s.got-s.toldGot >= Window/4 {
		nudge(s.wake)
	}
	if m.GetTable() == s.table && m.GetHeard() <= s.version {
		s.acked = max(s.acked, m.GetHeard())
		for len(s.closings) > 0 && s.closings[0].stamp <= s.acked {
			s.closings = s.closings[1:]
		}
	}
	if m.GetGap() {
		s.sent = min(s.sent, s.acked)
		nudge(s.wake)
	}
	for _, l := range m.GetLags() {
		if sh := c.shards[int(l.GetShard())]; sh != nil && sh.source == s {
			sh.lag = l.GetLag()
		}
	}
	for _, a := range m.GetAnswered() {
		sub := c.subscriptions[a.GetInterest()]
		if sub != nil && sub.shard.source == s && sub.ask == a.GetAsk() && !sub.answered {
			c.stats.lost.Inc()
			sub.again()
		}
	}
	whole, err := s.assembly.take(m.GetPart())
	return s, whole, err
}

// take hands a payload to whom it is for.
func (c *Client) take(s *source, p *envelope.Payload) {
	if r := p.GetReply(); r != nil {
		c.answered(r)
		return
	}
	a := p.GetAnswer()
	c.mu.Lock()
	sub := c.subscriptions[a.GetInterest()]
	c.mu.Unlock()
	if sub != nil {
		sub.accept(s, a)
	}
}

func (c *Client) refuse(from string, err error) {
	c.stats.refused.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.warned) >= time.Minute {
		c.warned = now
		c.cfg.Logger.Warn("an owner's message is refused", "owner", from, "error", err)
	}
}
