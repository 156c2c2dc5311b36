package cells_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/messages/cells"
	"pgregory.net/rapid"
)

// model is the simplest possible set: a map, and the list of all removals that are remembered.
type model struct {
	version, floor uint64
	next           uint32
	live           map[uint32]cells.Cell
	tombstones     []cells.Tombstone
}

func (m *model) remove(number uint32, v uint64) {
	m.version = v
	m.tombstones = append(m.tombstones, cells.Tombstone{Number: number, Panel: m.live[number].Panel, Removed: v})
	delete(m.live, number)
	for len(m.tombstones) > max(1024, len(m.live)) {
		m.floor = m.tombstones[0].Removed
		m.tombstones = m.tombstones[1:]
	}
}

func (m *model) since(v uint64) (u cells.Update, ok bool) {
	if v > m.version || v > 0 && v < m.floor {
		return u, false
	}
	u = cells.Update{From: v, To: m.version, Floor: m.floor}
	for _, c := range m.live {
		if c.Changed > v {
			u.Cells = append(u.Cells, c)
		}
	}
	slices.SortFunc(u.Cells, func(a, b cells.Cell) int { return cmp.Compare(a.Number, b.Number) })
	for _, t := range m.tombstones {
		if t.Removed > v {
			u.Removed = append(u.Removed, t)
		}
	}
	return u, true
}

// pair is a set and its model.
type pair struct {
	set     *cells.Set
	model   model
	handles map[uint32]cells.Handle
}

func newPair() *pair {
	return &pair{set: &cells.Set{}, model: model{live: map[uint32]cells.Cell{}}, handles: map[uint32]cells.Handle{}}
}

func (p *pair) put(v uint64, panel uint16, row string) uint32 {
	c := cells.Cell{Panel: panel, Start: int64(v), End: int64(v) + 10, Row: cells.Row(row)}
	h := p.set.Put(v, c)
	c.Number, c.Created, c.Changed = p.model.next, v, v
	p.model.next++
	p.model.version = v
	p.model.live[c.Number] = c
	p.handles[c.Number] = h
	return c.Number
}

func (p *pair) touch(number uint32, v uint64) {
	row := cells.Row(fmt.Sprint("row ", v))
	c := p.set.At(p.handles[number])
	c.Row, c.Revision, c.End = row, c.Revision+1, c.End+1
	p.set.Touch(p.handles[number], v)
	o := p.model.live[number]
	o.Row, o.Revision, o.End, o.Changed = row, o.Revision+1, o.End+1, v
	p.model.live[number], p.model.version = o, v
}

func (p *pair) remove(number uint32, v uint64) {
	p.set.Remove(p.handles[number], v)
	p.model.remove(number, v)
	delete(p.handles, number)
}

// reopen continues with the set decoded from its bytes.
func (p *pair) reopen(t rapid.TB) {
	b := p.set.Append(nil)
	s, rest, err := cells.Decode(append(slices.Clone(b), "rest"...))
	if err != nil || string(rest) != "rest" {
		t.Fatalf("decode: %v, rest %q", err, rest)
	}
	if again := s.Append(nil); string(again) != string(b) {
		t.Fatalf("%d bytes became %d others by a round trip", len(b), len(again))
	}
	p.set = s
	for n := range p.handles {
		p.handles[n], _ = s.Find(n)
	}
}

func (p *pair) check(t rapid.TB, v uint64) {
	got, ok := p.set.Since(v)
	want, wantOK := p.model.since(v)
	if ok != wantOK || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("since %d:\n got %t %+v\nwant %t %+v", v, ok, got, wantOK, want)
	}
	if p.set.Version() != p.model.version || p.set.Floor() != p.model.floor || p.set.Len() != len(p.model.live) || p.set.NextNumber() != p.model.next {
		t.Fatalf("version %d floor %d len %d next %d, want %d %d %d %d", p.set.Version(), p.set.Floor(), p.set.Len(), p.set.NextNumber(),
			p.model.version, p.model.floor, len(p.model.live), p.model.next)
	}
}

// drawStep takes the next step: versions rise by one, and a step changes some cells.
func (p *pair) drawStep(t *rapid.T) {
	v := p.model.version + 1
	numbers := make([]uint32, 0, len(p.model.live))
	for n := range p.model.live {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		what := rapid.IntRange(0, 9).Draw(t, "change")
		switch {
		case what < 4 || len(numbers) == 0:
			p.put(v, uint16(rapid.IntRange(0, 2).Draw(t, "panel")), fmt.Sprint("row ", v))
		case what < 8:
			p.touch(rapid.SampledFrom(numbers).Draw(t, "touched"), v)
		default:
			i := rapid.IntRange(0, len(numbers)-1).Draw(t, "removed")
			p.remove(numbers[i], v)
			numbers = slices.Delete(numbers, i, i+1)
		}
	}
}

// churn creates and removes many cells, so that tombstones are dropped.
func (p *pair) churn(n int) {
	for range n {
		number := p.put(p.model.version+1, 1, "churn")
		p.remove(number, p.model.version+1)
	}
}

func TestSetAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair()
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 19).Draw(rt, "step") {
			case 0:
				p.churn(rapid.IntRange(1, 700).Draw(rt, "churn"))
			case 1:
				p.reopen(rt)
			case 2:
				p.model.version++
				p.set.Advance(p.model.version)
			default:
				p.drawStep(rt)
			}
			p.check(rt, rapid.Uint64Range(0, p.model.version+1).Draw(rt, "since"))
			p.check(rt, 0)
		}
	})
}

// TestChainsOfHolders: holders ask each other, as gateways ask an owner and clients ask any
// gateway. Whoever applies an answer equals the sender, even if the holder was away so long that it
// gets a snapshot, and if a client moves to a mirror that did not exist when it last asked.
func TestChainsOfHolders(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair()
		mirrors := []*cells.Set{{}, {}, {}}
		var clients []*cells.Set
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			if rapid.IntRange(0, 4).Draw(rt, "churns") == 0 {
				p.churn(rapid.IntRange(1, 1500).Draw(rt, "churn"))
			}
			p.drawStep(rt)
			i := rapid.IntRange(0, len(mirrors)-1).Draw(rt, "mirror")
			giver := p.set
			if i > 0 && rapid.Bool().Draw(rt, "from the other mirror") {
				giver = mirrors[i-1]
			}
			follow(rt, mirrors[i], giver)
			if mirrors[i].Version() == p.set.Version() && !slices.Equal(mirrors[i].Cells(), p.set.Cells()) {
				rt.Fatalf("mirror %d at the owner's version %d differs from it", i, p.set.Version())
			}
			clients = append(clients, clone(rt, p.set), clone(rt, mirrors[i]))
			follow(rt, clients[rapid.IntRange(0, len(clients)-1).Draw(rt, "client")], mirrors[rapid.IntRange(0, 2).Draw(rt, "at")])
		}
	})
}

// follow moves a holder to the sender's state if that is new.
func follow(t rapid.TB, holder, giver *cells.Set) {
	before := holder.Version()
	if giver.Version() < before || giver.Version() == 0 {
		return // the sender is older: wait for it to catch up
	}
	u, ok := giver.Since(before)
	if !ok {
		u, _ = giver.Since(0)
	}
	for range 2 { // twice does no harm
		if err := holder.Apply(u); err != nil {
			t.Fatalf("from %d to %d at %d: %v", u.From, u.To, before, err)
		}
	}
	if holder.Version() != giver.Version() || !slices.Equal(holder.Cells(), giver.Cells()) {
		t.Fatalf("holder at %d, after the update from %d to %d: version %d, %d cells; the giver: version %d, %d cells",
			before, u.From, u.To, holder.Version(), holder.Len(), giver.Version(), giver.Len())
	}
}

func clone(t rapid.TB, s *cells.Set) *cells.Set {
	c, _, err := cells.Decode(s.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
