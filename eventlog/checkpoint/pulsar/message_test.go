package pulsar

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// sent is a message as a partition holds it.
type sent struct {
	key     string
	payload []byte
}

// pieces returns a body as a leader sends it.
func pieces(t interface{ Fatal(...any) }, base string, sequence, prior uint32, body []byte) (out []sent) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	packed := p.pack(body)
	of := max(1, (len(packed)+pieceBytes-1)/pieceBytes)
	for n := range of {
		key := pieceKey(base, n)
		part := packed[n*pieceBytes : min(len(packed), (n+1)*pieceBytes)]
		out = append(out, sent{key, appendPiece(nil, key, piece{sequence, prior, n, of, part})})
	}
	return out
}

// compacted returns what compaction leaves of the messages: the newest of each key, in the
// partition's order.
func compacted(all []sent) (out []sent) {
	newest := map[string]int{}
	for i, m := range all {
		newest[m.key] = i
	}
	for i, m := range all {
		if newest[m.key] == i && len(m.payload) > 0 {
			out = append(out, m)
		}
	}
	return out
}

func observed(t interface{ Fatal(...any) }, all []sent, slot int) (c *contents, got map[string]checkpoint.Entry) {
	c, err := newContents()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	got = map[string]checkpoint.Entry{}
	c.fetching, c.put = slot, func(e checkpoint.Entry) error {
		e.State, e.Summary = bytes.Clone(e.State), bytes.Clone(e.Summary)
		got[e.Key.Dashboard] = e
		return nil
	}
	for _, m := range all {
		if err := c.observe(m.key, m.payload); err != nil {
			t.Fatal(err)
		}
	}
	return c, got
}

// TestPartition: a partition of a leader that dies at times, read at any point and compacted or
// not, gives the newest checkpoint whole. With one message of it lost or damaged, it never passes
// as whole.
func TestPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := &leader{entries: map[uint64]*[2]written{}}
		var all []sent
		var want [2]map[string][]byte
		newest := none
		current := map[string][]byte{}
		var lastBegin int
		for n := range rapid.IntRange(1, 8).Draw(t, "checkpoints") {
			slot := 0
			if newest == 0 {
				slot = 1
			}
			l.sequence++
			for _, d := range rapid.SliceOfN(rapid.IntRange(0, 5), 1, 6).Draw(t, "changed") {
				size := rapid.SampledFrom([]int{0, 10, 300, 3 * pieceBytes}).Draw(t, "size")
				state := make([]byte, size)
				x := uint64(n*100 + d)
				for i := range state {
					x = x*6364136223846793005 + 1442695040888963407
					state[i] = byte(x >> 56)
				}
				current[fmt.Sprint("d", d)] = state
			}
			var batch []sent
			for _, name := range slices.Sorted(keysOf(current)) {
				e := checkpoint.Entry{Key: messages.Key{Tenant: "t", Dashboard: name}, Position: messages.Position{Lo: uint64(n + 1)}, State: current[name]}
				batch = append(batch, pieces(t, base(e.Key, slot), l.sequence, l.write(nameOf(e.Key), slot), appendEntry(nil, e))...)
			}
			m := &mark{sequence: l.sequence, Marker: checkpoint.Marker{Position: messages.Position{Lo: uint64(n + 1)}}, tally: l.tallies[slot]}
			batch = append(batch, pieces(t, markerBase(slot), l.sequence, 0, appendMark(nil, *m))...)
			if rapid.IntRange(0, 3).Draw(t, "dies") == 0 { // the next leader learns what is there
				all = append(all, batch[:rapid.IntRange(0, len(batch)-1).Draw(t, "after")]...)
				c, _ := observed(t, all, none)
				l = &leader{entries: c.entries, sequence: c.sequence}
				for s := range 2 {
					if c.whole(s) == nil {
						l.marks[s] = c.marks[s]
					}
					for name, w := range c.entries {
						if w[s].sequence != 0 {
							l.tallies[s].add(name, w[s].sequence)
						}
					}
				}
				continue
			}
			lastBegin = len(all)
			all = append(all, batch...)
			l.marks[slot] = m
			newest = slot
			want[slot] = map[string][]byte{}
			for name, state := range current {
				want[slot][name] = state
			}
		}
		for _, partition := range [][]sent{all, compacted(all)} {
			if newest == none {
				continue
			}
			c, got := observed(t, partition, newest)
			if slot, passedOver := c.newest(); slot != newest || errors.Is(passedOver, checkpoint.ErrCorrupt) {
				t.Fatalf("newest is slot %d, want %d: %v", slot, newest, passedOver)
			}
			for name, state := range want[newest] {
				if !bytes.Equal(got[name].State, state) {
					t.Fatalf("%s: got %d bytes, want %d", name, len(got[name].State), len(state))
				}
			}
		}
		if newest == none || lastBegin == len(all) {
			return
		}
		i := rapid.IntRange(lastBegin, len(all)-1).Draw(t, "spoiled")
		a, _ := parseKey(all[i].key)
		spoiled := slices.Clone(all)
		if rapid.Bool().Draw(t, "lost") {
			spoiled = slices.Delete(spoiled, i, i+1)
		} else {
			spoiled[i].payload = bytes.Clone(spoiled[i].payload)
			spoiled[i].payload[rapid.IntRange(0, len(spoiled[i].payload)-1).Draw(t, "byte")] ^= 1
		}
		if a.slot != newest {
			return
		}
		c, _ := observed(t, spoiled, none)
		if m := c.marks[newest]; m != nil && m.sequence == l.marks[newest].sequence && c.whole(newest) == nil {
			t.Fatalf("message %d (%s) is damaged, and the checkpoint passes as whole", i, all[i].key)
		}
	})
}

func keysOf(m map[string][]byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func FuzzMessage(f *testing.F) {
	e := checkpoint.Entry{Key: messages.Key{Tenant: "t", Dashboard: "d"}, Position: messages.Position{Hi: 3, Lo: 4}, Summary: []byte("s"), State: make([]byte, 500)}
	for _, m := range pieces(f, base(e.Key, 1), 7, 5, appendEntry(nil, e)) {
		f.Add(m.key, m.payload[4:])
	}
	for _, m := range pieces(f, markerBase(0), 7, 0, appendMark(nil, mark{Marker: checkpoint.Marker{Position: messages.Position{Lo: 1}, State: []byte("x")}, tally: tally{1, 2}})) {
		f.Add(m.key, m.payload[4:])
	}
	f.Add("t/d/0#3", []byte{1, 7, 5, 3, 4, 0})
	f.Add("/2", []byte{})
	f.Fuzz(func(t *testing.T, key string, rest []byte) {
		// with a correct checksum, or the fuzzer would get no further
		payload := append([]byte{0, 0, 0, 0}, rest...)
		sum := checksum(key, rest)
		payload[0], payload[1], payload[2], payload[3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		for slot := range 2 {
			c, _ := observed(t, []sent{{key, payload}, {key, rest}, {key, payload}}, slot)
			_, _ = c.newest()
		}
	})
}
