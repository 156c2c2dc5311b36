package actors

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// dashboard is the actor of one awake dashboard: a thin shell around the fold. It has no goroutine,
// timer or map of its own, since there may be hundreds of thousands.
type dashboard struct {
	shard  *shard
	key    messages.Key
	fold   *fold.Dashboard     // nil: not loaded, or no record yet
	asks   []*asking           // unanswered asks; at most one per subscription
	poison []messages.Position // positions of records set aside since the dashboard was last saved
	loaded bool
	mended bool // its checkpoint was corrupt and must be written again
	lost   bool // it could not be restored after a panic; it folds and answers nothing
}

// Receive implements actor.Actor. The host handles a panic that gets this far: otherwise the
// shard's batch or checkpoint would wait for this dashboard forever.
func (d *dashboard) Receive(c actor.Context) {
	if _, last := c.Message().(*actor.Stopped); last {
		d.shard.actors.Done()
		return
	}
	if d.shard.life.Err() == nil { // otherwise nobody waits for it, and its state may be incomplete
		d.receive(c.Message())
	}
}

func (d *dashboard) receive(message any) {
	switch m := message.(type) {
	case *loading:
		d.load()
	case *run:
		d.run(m)
	case *asking:
		d.prepare(m.logTime)
		d.guard("keep", func() { d.keep(m) })
		d.guard("answer", d.answer)
		d.acknowledge(&m.turn)
	case *reading:
		d.prepare(m.logTime)
		r := readingReply{err: errLost}
		d.guard("read", func() { r = d.read(m) })
		d.guard("answer", d.answer)
		d.acknowledge(&m.turn)
		m.reply <- r // last: the receiver of the reply may rely on what the shard has learned
	case *yielding:
		d.prepare(m.logTime)
		d.guard("answer", func() { d.yield(m.before) })
		d.acknowledge(&m.turn)
	case *advancing:
		d.prepare(m.logTime)
		d.guard("answer", d.answer)
		d.acknowledge(&m.turn)
	case *saving:
		d.prepare(m.logTime)
		var r savingReply
		d.guard("save", func() { r = d.save() })
		if d.lost {
			r = d.saveLost()
		}
		r.saved = m.entry
		m.reply <- r
	}
}

// run folds the records and counts the batch down. The last dashboard of the batch returns it to
// the shard.
func (d *dashboard) run(r *run) {
	d.foldRun(r)
	d.guard("answer", d.answer)
	r.report = d.report()
	b := r.batch
	if b.left.Add(-1) == 0 {
		d.shard.tell(&folded{b})
	}
}

// prepare loads the dashboard and applies its deadlines up to the log time.
func (d *dashboard) prepare(logTime int64) {
	d.load()
	if d.fold == nil {
		return
	}
	d.guard("deadlines", func() { d.fold.Advance(logTime) })
}

func (d *dashboard) acknowledge(t *turn) {
	t.report = d.report()
	d.shard.tell(t)
}

func (d *dashboard) report() report {
	r := report{deadline: core.NoDeadline}
	d.guard("report", func() { r = d.standing() })
	return r
}

func (d *dashboard) standing() report {
	r := report{deadline: core.NoDeadline}
	if d.fold == nil {
		return r
	}
	r.mended = d.mended
	if at, ok := d.fold.Deadline(); ok {
		r.deadline = at
	}
	r.program = d.fold.Program()
	r.ahead = slices.ContainsFunc(d.asks, func(m *asking) bool { return d.isAhead(m.ask.Place) })
	r.version, r.epoch, r.time = d.fold.Version(), d.fold.Epoch(), d.fold.Time()
	return r
}

// keep stores an ask until it can be answered. It replaces the subscription's previous ask.
func (d *dashboard) keep(m *asking) {
	d.asks = slices.DeleteFunc(d.asks, func(o *asking) bool { return o.sub == m.sub || !o.sub.waits(o.ask) })
	m.kept = d.shard.host.now()
	d.asks = append(d.asks, m)
}

// answer answers the asks for which there is news. Equal asks share one answer.
func (d *dashboard) answer() {
	if len(d.asks) == 0 || d.fold == nil {
		return
	}
	var last *feed.Update
	var question ask
	d.asks = slices.DeleteFunc(d.asks, func(m *asking) bool {
		if d.behind(m.ask.Place) {
			return false
		}
		if last == nil || question.Epoch != m.ask.Epoch || question.Version != m.ask.Version {
			u := d.update(m.ask.Epoch, m.ask.Version)
			last, question = &u, m.ask
		}
		m.sub.deliver(m.ask, last)
		return true
	})
	if len(d.asks) == 0 {
		d.asks = nil
	}
}

// behind reports whether there is no news for a viewer at the place, because the viewer is as far
// as the dashboard, or further. A viewer that comes from another owner can be further. Of two
// epochs, the one whose last record has the later position is the newer.
func (d *dashboard) behind(at feed.Place) bool {
	if at.Epoch == d.fold.Epoch() {
		return at.Version >= d.fold.Version()
	}
	return at.Position.After(d.fold.Position())
}

// isAhead reports whether a viewer at the place has seen something that the dashboard has not.
func (d *dashboard) isAhead(at feed.Place) bool {
	return d.behind(at) && (at.Epoch != d.fold.Epoch() || at.Version > d.fold.Version())
}

// yield stops waiting for what viewers have seen elsewhere and the log does not have. Viewers who
// asked before that time receive the complete state.
func (d *dashboard) yield(before time.Duration) {
	if d.fold == nil {
		return
	}
	d.asks = slices.DeleteFunc(d.asks, func(m *asking) bool {
		if m.kept > before || !d.isAhead(m.ask.Place) || !m.sub.waits(m.ask) {
			return false
		}
		d.shard.takeBack(d.key, m.ask.Place, d.fold.Epoch(), d.fold.Version())
		u := d.update(0, 0)
		u.Reset = m.ask.Epoch == d.fold.Epoch()
		m.sub.deliver(m.ask, &u)
		return true
	})
}

// update returns what changed since the version of the epoch, or everything if the changes are not
// known.
func (d *dashboard) update(epoch messages.Epoch, version uint64) feed.Update {
	known := epoch == d.fold.Epoch()
	if !known {
		version = 0
	}
	u, ok := d.fold.Since(version)
	if !ok {
		u, _ = d.fold.Since(0)
	}
	p := d.fold.Program()
	return feed.Update{
		Update:    u,
		Key:       d.key,
		Position:  d.fold.Position(),
		Time:      d.fold.Time(),
		Watermark: d.fold.Watermark(),
		Schema:    d.fold.Schema(),
		Metrics:   p.MetricsPanel(),
		Reset:     known && !ok,
	}
}

func (d *dashboard) read(m *reading) readingReply {
	if d.lost {
		return readingReply{err: errLost}
	}
	if d.fold == nil {
		return m.empty()
	}
	q := m.query
	r := feed.Reading{
		Update:     d.update(q.Epoch, q.Since),
		Counters:   d.fold.Counters(),
		Definition: inForce(d.fold),
	}
	if q.Lists {
		r.Late, r.Refused = d.fold.Late(), d.fold.Refused()
	}
	return readingReply{Reading: r}
}

// empty returns the reading of a dashboard without records.
func (m *reading) empty() readingReply {
	if m.query.MustExist {
		return readingReply{err: feed.ErrUnknown}
	}
	return readingReply{Reading: feed.Reading{Update: *emptyUpdate(m.key, m.fallback), Definition: inForceByDefault(m.fallback)}}
}

// crowded returns the reading of a dashboard that has no records and cannot get any because of the
// bound. A query that only asks whether the dashboard exists gets ErrUnknown.
func (m *reading) crowded(full error) readingReply {
	if m.query.MustExist && m.query.After == nil {
		return readingReply{err: feed.ErrUnknown}
	}
	return readingReply{err: fmt.Errorf("%w: %w", feed.ErrCrowded, full)}
}

func inForce(d *fold.Dashboard) feed.DefinitionInForce {
	p := d.Program()
	revision, _, isDefault := d.InForce()
	return feed.DefinitionInForce{Canonical: p.Canonical(), Hash: p.Hash(), Revision: revision, Default: isDefault}
}

func inForceByDefault(p *fold.Program) feed.DefinitionInForce {
	return feed.DefinitionInForce{Canonical: p.Canonical(), Hash: p.Hash(), Default: true}
}
