package remote

import (
	"encoding/binary"
	"time"
)

// sending is the state of a gateway's sender.
type sending struct {
	flushed time.Time
	message []byte  // the message being written
	queue   []ready // taken from the outbox
}

// The items of an owner's message.
const (
	itemUpdate = 'u' // id of the interest, number of the ask, update
	itemLag    = 'l' // shard, ms
)

// send writes to the gateway until its stream ends. It waits in the stream's window; what changes
// meanwhile waits in the outbox.
func (g *gateway) send() error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	for {
		beats := false
		select {
		case <-g.ctx.Done():
			return g.ctx.Err()
		case <-beat.C:
			beats = true
		case <-g.out.wake:
		case <-flush.C:
		}
		if next := time.Until(g.flushed.Add(g.server.cfg.Flush)); !beats && next > 0 {
			flush.Reset(next)
			continue
		}
		g.flushed = time.Now()
		if err := g.flush(beats); err != nil {
			return err
		}
	}
}

// flush sends what is ready and, with a beat, the state of the shards.
func (g *gateway) flush(beats bool) error {
	b := append(g.message[:0], last)
	if beats {
		for n, lag := range g.beat() {
			at := len(b)
			b = binary.AppendUvarint(begin(b, itemLag), uint64(n))
			b = end(binary.AppendVarint(b, lag), at)
		}
		g.askAgain(g.out.done(0))
	}
	g.queue = g.out.take(g.queue[:0])
	guessed := 0
	for n := range g.queue {
		at := len(b)
		b = g.write(b, &g.queue[n])
		if at > 1 && len(b) > MaxMessageBytes { // it does not fit beside the others
			if err := g.post(b[:at], guessed); err != nil {
				return err
			}
			b, guessed = append(b[:1], b[at:]...), 0
		}
		guessed += g.queue[n].size
	}
	clear(g.queue)
	g.message = b
	if len(b) == 1 && guessed == 0 && !beats {
		return nil
	}
	return g.post(b, guessed)
}

// write appends an answer, unless the gateway has closed the interest.
func (g *gateway) write(b []byte, r *ready) []byte {
	i := r.interest
	if i.closed.Load() {
		return b
	}
	at := len(b)
	b = binary.AppendUvarint(begin(b, itemUpdate), i.id)
	b = binary.AppendUvarint(b, r.ask)
	b = end(appendUpdate(b, r.update, &i.seen, i.known), at)
	if len(b)-at > MaxPayloadBytes-MaxMessageBytes {
		g.server.cfg.Logger.Error("did not send an update: it is too large for the link", "dashboard", i.key.String(), "bytes", len(b)-at, "most", MaxPayloadBytes)
		return b[:at]
	}
	i.known = i.seen.hash
	g.server.stats.answers.Inc()
	return b
}

// post sends a message, and then asks the feed about dashboards for which there is room now.
func (g *gateway) post(b []byte, guessed int) error {
	err := send(g.stream, b, func(n int) {
		g.server.stats.messages.Inc()
		g.server.stats.bytes.Add(float64(n))
	})
	if err != nil {
		return err
	}
	if cap(g.message) > MaxPayloadBytes/8 {
		g.message = nil
	}
	g.askAgain(g.out.done(guessed))
	return nil
}
