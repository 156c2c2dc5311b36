package remote

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/dashfeed/dashfeed/feed/remote/envelope"
)

// flush sends what is ready, as far as there is credit, and gives the time to come again; zero where something will
// wake the gateway.
func (g *gateway) flush(now time.Time) (next time.Time) {
	for first := true; ; first = false {
		if len(g.queue) == 0 {
			g.queue = g.out.take()
		}
		if len(g.queue) == 0 && g.parting == nil && g.told {
			return time.Time{}
		}
		if next = g.flushed.Add(g.server.cfg.Flush); first && now.Before(next) {
			return next
		}
		m := g.message()
		if g.sent-g.got+MaxMessageBytes <= Window {
			g.fill(m)
		}
		if len(m.Payloads) == 0 && m.Part == nil && g.told {
			return time.Time{}
		}
		g.flushed = now
		g.send(m)
	}
}

// fill puts as many payloads into the message as it holds, or a part of one that is larger.
func (g *gateway) fill(m *envelope.ToGateway) {
	if g.parting != nil {
		g.nextPart(m)
		return
	}
	room, n, guessed := roomBytes, 0, 0
	for ; n < len(g.queue); n++ {
		r := &g.queue[n]
		p := g.write(r)
		if p == nil {
			guessed += r.size
			continue
		}
		const framing = 5 // tag and length
		size := proto.Size(p) + framing
		if size > room && len(m.Payloads) > 0 {
			r.written = p
			break
		}
		if size > room {
			if g.part(p, *r) {
				g.nextPart(m)
			}
			n++
			break
		}
		room -= size
		guessed += r.size
		g.sent += uint64(size)
		m.Payloads = append(m.Payloads, p)
		g.sentOut(r)
	}
	clear(g.queue[:n])
	g.queue = g.queue[n:]
	g.askHungry(guessed)
}

// write makes the payload; nil where nobody wants it any more.
func (g *gateway) write(r *ready) *envelope.Payload {
	if r.written != nil {
		return r.written
	}
	if r.reply != nil {
		return &envelope.Payload{What: &envelope.Payload_Reply{Reply: r.reply}}
	}
	i := r.interest
	if i.closed.Load() {
		return nil
	}
	a := &answering{}
	updateOut(&a.update, &a.position, r.update, &i.seen, i.known)
	a.answer.Interest, a.answer.Ask, a.answer.Update = i.id, r.ask, &a.update
	a.what.Answer = &a.answer
	a.payload.What = &a.what
	return &a.payload
}

// answering is an answer with all that it is made of, in one allocation.
type answering struct {
	payload  envelope.Payload
	what     envelope.Payload_Answer
	answer   envelope.Answer
	update   envelope.Update
	position envelope.Position
}

// sentOut remembers that a payload is on its way.
func (g *gateway) sentOut(r *ready) {
	i := r.interest
	if i == nil {
		g.requests.sent(r.reply.GetRequest())
		return
	}
	g.server.stats.answers.Inc()
	if r.ask == i.ask.Load() && !i.closed.Load() {
		i.answeredAsk, i.answeredAt = r.ask, time.Now()
		g.answered[i.id] = i
	}
}

// askHungry says that so much is sent, and asks again for answers that found no room before.
func (g *gateway) askHungry(sent int) {
	for _, i := range g.out.done(sent) {
		if !i.closed.Load() {
			i.askFeed()
		}
	}
}

// parting is a payload on its way in parts.
type parting struct {
	of     ready
	number uint64
	index  uint32
	left   []byte
}

// part begins to send a payload in parts.
func (g *gateway) part(p *envelope.Payload, r ready) bool {
	b, err := proto.Marshal(p)
	if err != nil || len(b) > MaxPayloadBytes {
		g.server.cfg.Logger.Error("a payload is too large for the link and is not sent", "bytes", len(b), "most", MaxPayloadBytes, "error", err)
		g.askHungry(r.size)
		return false
	}
	g.numbers++
	g.parting = &parting{of: r, number: g.numbers, left: b}
	return true
}

func (g *gateway) nextPart(m *envelope.ToGateway) {
	p := g.parting
	b := p.left[:min(len(p.left), roomBytes)]
	p.left = p.left[len(b):]
	m.Part = &envelope.Part{Number: p.number, Index: p.index, More: len(p.left) > 0, Bytes: b}
	p.index++
	g.sent += uint64(len(b))
	if len(p.left) == 0 {
		g.parting = nil
		g.sentOut(&p.of)
		g.askHungry(p.of.size)
	}
}
