package pulsar

import "github.com/dashfeed/dashfeed/messages"

// orphan is a dashboard's entry that belongs to no checkpoint: its leader died before the marker,
// and the dashboard has none under the slot's last marker. If its records are lost nobody
// overwrites it: it would count under the next marker, and if it is not whole, it would spoil every
// checkpoint of the slot.
type orphan struct {
	key    messages.Key
	pieces int
}

// noteOrphan records an entry after the slot's last marker.
func (c *contents) noteOrphan(a address, p piece) {
	name := nameOf(a.key)
	switch {
	case !c.hashing:
	case p.prior != 0:
		delete(c.orphans[a.slot], name)
	case c.orphans[a.slot] == nil:
		c.orphans[a.slot] = map[uint64]orphan{name: {a.key, p.of}}
	default:
		c.orphans[a.slot][name] = orphan{a.key, max(p.of, c.orphans[a.slot][name].pieces)}
	}
}

// removeOrphans removes the slot's orphans, except for dashboards that were just written.
func (l *leader) removeOrphans(o *outbox, slot int) {
	for name, x := range l.orphans[slot] {
		w := &l.entries[name][slot]
		l.tallies[slot].less(name, w.sequence)
		*w = written{}
		o.remove(base(x.key, slot), x.pieces)
	}
	l.orphans[slot] = nil
}
