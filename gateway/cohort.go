package gateway

import (
	"math/bits"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// exactFrames is how many places of readers get their own frame at one version. Readers further
// behind share frames.
const exactFrames = 16

// cohortKey identifies the sessions of one dashboard that get the same bytes.
type cohortKey struct {
	want    string // the canonical form of want
	rate    float64
	dialect dialect
}

// cohort holds the subscriptions that get the same bytes. Its mirror's mu guards everything in it.
type cohort struct {
	m        *mirror
	key      cohortKey
	want     want
	interval time.Duration
	proj     *wire.Projection
	lacks    error // the error if the current definition lacks a panel that was asked for
	subs     map[*subscription]struct{}

	changed  bool      // something that the view shows has changed since the last tick
	lastTick time.Time // zero: no tick so far
	prev, to uint64    // versions of the last two ticks: most readers are at prev
	sentTime int64     // log time that was last sent, ms

	frames   []*frame // frames encoded at version frameTo
	held     int64    // bytes of frames
	used     bool     // used since the last sweep
	frameTo  uint64
	frameOf  messages.Epoch
	sizeHint int
}

// frame is an update as payloads of messages, which every transport frames in its own way. It is
// shared and never changed.
type frame struct {
	from, to uint64
	initial  bool // for a client that holds nothing
	payloads [][]byte
}

// project computes the view's projection for the mirror's schema.
func (c *cohort) project() {
	c.proj, c.lacks = wire.Project(c.m.key, c.m.schema, c.want.panels, c.want.groups)
	c.drop()
}

// due returns when the cohort's next tick is. ok is false if none is due.
func (c *cohort) due() (at time.Time, ok bool) {
	switch {
	case c.changed:
		return c.lastTick.Add(c.interval), true
	case c.m.set.Version() > c.to && c.key.dialect.places():
		return c.lastTick.Add(max(heartbeat, c.interval)), true
	}
	return time.Time{}, false
}

// tick wakes every subscription.
func (c *cohort) tick(now time.Time) {
	c.lastTick, c.changed = now, false
	c.prev, c.to = c.to, c.m.set.Version()
	c.wakeAll()
}

func (c *cohort) wakeAll() {
	for s := range c.subs {
		s.wake()
	}
}

// frame returns the frame that brings a reader from version p to the mirror's version. initial says
// that the reader holds nothing, not even version 0. The caller ensures that p is not below the
// floor.
func (c *cohort) frame(p uint64, initial bool) *frame {
	version := c.m.set.Version()
	c.used = true
	if c.frameTo != version || c.frameOf != c.m.epoch {
		c.drop()
		c.frameTo, c.frameOf = version, c.m.epoch
	}
	from := c.start(p, version)
	for _, f := range c.frames {
		if f.from == from && f.initial == initial {
			return f
		}
	}
	u, ok := c.m.changesSince(from)
	if !ok {
		u, _ = c.m.changesSince(0)
	}
	f := &frame{from: u.From, to: u.To, initial: initial, payloads: c.key.dialect.payloads(c, u, initial)}
	c.m.stats.encodes.Inc()
	c.keep(f)
	return f
}

// start returns the version where the frame for a reader at p begins. It is p itself while few
// places are in use. Beyond that it is a distance of a power of two, so that readers that are far
// behind share frames. A frame may start before its reader (rule 1).
func (c *cohort) start(p, version uint64) uint64 {
	if p == 0 || p == c.prev || len(c.frames) < exactFrames {
		return p
	}
	for _, f := range c.frames {
		if f.from == p {
			return p
		}
	}
	distance := uint64(1) << bits.Len64(version-p-1)
	if distance >= version {
		return max(1, c.m.set.Floor())
	}
	return max(version-distance, c.m.set.Floor())
}
