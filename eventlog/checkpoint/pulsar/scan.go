package pulsar

import (
	"errors"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// written is what a partition has of one dashboard in one slot.
type written struct {
	sequence uint32 // of the newest entry; 0: none
	prior    uint32 // of the entry it replaced, if that one counts under the slot's marker
	torn     bool   // the newest entry is not whole
}

// under returns the sequence of the entry that counts under a marker; 0: none.
func (w written) under(marker uint32) uint32 {
	if w.sequence <= marker {
		return w.sequence
	}
	return w.prior
}

// contents is what a partition holds, without the entries' bytes: some 40 bytes for each dashboard.
type contents struct {
	entries  map[uint64]*[2]written
	marks    [2]*mark
	sequence uint32            // greatest sequence found
	greatest messages.Position // greatest position of the markers found, whole or not
	damage   [2][]error        // at most maxDamage for each slot
	hashes   [2]map[uint64]uint64

	assembler assembler
	unpacker  *unpacker
	fetching  int // the slot whose entries go to put; none: no slot
	put       func(checkpoint.Entry) error
	take      func(messages.Key) error
	hashing   bool // keep a hash of each entry, for the first checkpoints of a new leader

	// While hashing: dashboards of a slot that came after its last marker and have none under it.
	// Their leader died.
	orphans [2]map[uint64]orphan
}

const (
	none      = -1
	maxDamage = 10
)

func newContents() (*contents, error) {
	u, err := newUnpacker()
	return &contents{entries: map[uint64]*[2]written{}, fetching: none, unpacker: u}, err
}

func (c *contents) close() { c.unpacker.close() }

func (c *contents) damaged(slot int, err error) {
	if len(c.damage[slot]) < maxDamage {
		c.damage[slot] = append(c.damage[slot], err)
	}
}

// observe handles one message, in the order of the partition. It returns only put's errors.
func (c *contents) observe(key string, payload []byte) error {
	a, ok := parseKey(key)
	if !ok {
		return nil // compaction left it, or it is not a checkpoint message
	}
	if len(payload) == 0 {
		return c.remove(a)
	}
	p, err := decodePiece(key, payload)
	if err != nil {
		c.spoil(a, err)
		return nil
	}
	c.sequence = max(c.sequence, p.sequence)
	body, err := c.assembler.add(a, p)
	switch {
	case err != nil:
		c.spoil(a, fmt.Errorf("message %s: %w", key, err))
	case a.marker && body != nil:
		c.mark(a.slot, p.sequence, body)
	case a.marker:
	case body == nil:
		c.begin(a, p)
	default:
		return c.entry(a, p, body)
	}
	return nil
}

func (c *contents) of(k messages.Key) *[2]written {
	name := nameOf(k)
	w := c.entries[name]
	if w == nil {
		w = new([2]written)
		c.entries[name] = w
	}
	return w
}

func (c *contents) remove(a address) error {
	switch {
	case a.piece > 0:
	case a.marker:
		c.marks[a.slot] = nil
	default:
		name := nameOf(a.key)
		c.of(a.key)[a.slot] = written{}
		delete(c.hashes[a.slot], name)
		delete(c.orphans[a.slot], name)
		if c.fetching == a.slot {
			return c.take(a.key)
		}
	}
	return nil
}

// spoil records that the key's entry is not whole. A later message with that key corrects it.
func (c *contents) spoil(a address, err error) {
	c.damaged(a.slot, err)
	switch {
	case a.marker:
		c.marks[a.slot] = nil
	case a.piece == 0:
		c.of(a.key)[a.slot].torn = true
		delete(c.hashes[a.slot], nameOf(a.key))
	}
}

// begin records an entry of several pieces; it is torn until the last one has come.
func (c *contents) begin(a address, p piece) {
	w := &c.of(a.key)[a.slot]
	if p.sequence > w.sequence {
		*w = written{sequence: p.sequence, prior: p.prior, torn: true}
		delete(c.hashes[a.slot], nameOf(a.key))
		c.noteOrphan(a, p)
	}
}

func (c *contents) entry(a address, p piece, packed []byte) error {
	w := &c.of(a.key)[a.slot]
	if p.sequence < w.sequence {
		return nil
	}
	*w = written{sequence: p.sequence, prior: p.prior}
	c.noteOrphan(a, p)
	if !c.hashing && c.fetching != a.slot {
		return nil
	}
	body, err := c.unpacker.unpack(packed)
	if err != nil {
		c.spoil(a, fmt.Errorf("dashboard %s: %w", a.key, err))
		return nil
	}
	if c.hashing {
		if c.hashes[a.slot] == nil {
			c.hashes[a.slot] = map[uint64]uint64{}
		}
		c.hashes[a.slot][nameOf(a.key)] = xxh3.Hash(body)
	}
	if c.fetching != a.slot {
		return nil
	}
	e, err := decodeEntry(a.key, body)
	if err != nil {
		c.spoil(a, fmt.Errorf("dashboard %s: %w", a.key, err))
		return nil
	}
	return c.put(e)
}

func (c *contents) mark(slot int, sequence uint32, packed []byte) {
	body, err := c.unpacker.unpack(packed)
	var m mark
	if err == nil {
		m, err = decodeMark(sequence, body)
	}
	if err != nil {
		c.marks[slot] = nil
		c.damaged(slot, fmt.Errorf("marker in slot %d: %w", slot, err))
		return
	}
	c.marks[slot], c.orphans[slot] = &m, nil
	if m.Position.After(c.greatest) {
		c.greatest = m.Position
	}
}

// whole returns nil if the slot's marker exists and everything it counts does too.
func (c *contents) whole(slot int) error {
	m := c.marks[slot]
	if m == nil {
		if len(c.damage[slot]) > 0 {
			return errors.Join(c.damage[slot]...)
		}
		return checkpoint.ErrNone
	}
	var found tally
	torn := false
	for name, w := range c.entries {
		if sequence := w[slot].under(m.sequence); sequence != 0 {
			found.add(name, sequence)
		}
		torn = torn || w[slot].torn
	}
	if found == m.tally && !torn {
		return nil
	}
	return errors.Join(append([]error{fmt.Errorf("checkpoint at %s in slot %d: %w: %d entries that match, %d were written", m.Position, slot, checkpoint.ErrCorrupt, found.entries, m.entries)}, c.damage[slot]...)...)
}

// newest returns the slot of the newest whole checkpoint, or none. passedOver says why a newer one
// was not chosen.
func (c *contents) newest() (slot int, passedOver error) {
	first := 0
	if c.marks[0] == nil || c.marks[1] != nil && c.marks[1].sequence > c.marks[0].sequence {
		first = 1
	}
	err := c.whole(first)
	if err == nil {
		// The other slot's marker may be the damaged one, and may have been newer.
		if c.marks[1-first] == nil && len(c.damage[1-first]) > 0 {
			return first, errors.Join(c.damage[1-first]...)
		}
		return first, nil
	}
	if c.whole(1-first) == nil {
		return 1 - first, err
	}
	return none, err
}
