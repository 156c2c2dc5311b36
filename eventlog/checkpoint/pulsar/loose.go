package pulsar

import "github.com/dashfeed/dashfeed/messages"

// loose is a dashboard's entry that belongs to no checkpoint: its leader died before the marker,
// and the dashboard has none under the slot's last one. Where its records are lost nobody writes
// over it: it would count under the next marker, and where it is not whole, no checkpoint of the
// slot would be.
type loose struct {
	key    messages.Key
	pieces int
}

// lies notes an entry behind the slot's last marker.
func (c *contents) lies(a address, p piece) {
	name := nameOf(a.key)
	switch {
	case !c.hashing:
	case p.prior != 0:
		delete(c.loose[a.slot], name)
	case c.loose[a.slot] == nil:
		c.loose[a.slot] = map[uint64]loose{name: {a.key, p.of}}
	default:
		c.loose[a.slot][name] = loose{a.key, max(p.of, c.loose[a.slot][name].pieces)}
	}
}

// takeBack takes away what is loose in the slot and not among the dashboards that were just
// written.
func (l *leader) takeBack(o *outbox, slot int) {
	for name, x := range l.loose[slot] {
		w := &l.entries[name][slot]
		l.tallies[slot].less(name, w.sequence)
		*w = written{}
		o.remove(base(x.key, slot), x.pieces)
	}
	l.loose[slot] = nil
}
