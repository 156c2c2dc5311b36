package actors

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/messages"
)

// The first byte of the store's keys distinguishes markers from entries' bodies. The last byte is
// the slot.
const (
	markers = 'm'
	bodies  = 'b'
)

// damage flips a byte in the store's values whose keys begin with space and satisfy which.
func (n *node) damage(space byte, which func(key []byte) bool) (damaged int) {
	n.Helper()
	return n.damageIn("/checkpoints", space, which)
}

func (n *node) damageIn(path string, space byte, which func(key []byte) bool) (damaged int) {
	n.Helper()
	db, err := pebble.Open(path, &pebble.Options{FS: n.fs, Logger: silent{}})
	n.check(err)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{space}, UpperBound: []byte{space + 1}})
	n.check(err)
	for ok := it.First(); ok; ok = it.Next() {
		if !which(it.Key()) {
			continue
		}
		value := bytes.Clone(it.Value())
		value[len(value)-1] ^= 0x40
		n.check(db.Set(it.Key(), value, pebble.Sync))
		damaged++
	}
	n.check(it.Close())
	n.check(db.Close())
	return damaged
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func slot(s byte) func([]byte) bool {
	return func(key []byte) bool { return key[len(key)-1] == s }
}

func any_([]byte) bool { return true }

func TestCorruptCheckpoints(t *testing.T) {
	for name, damage := range map[string]func(n *node) int{
		"a marker":             func(n *node) int { return n.damage(markers, slot(0)) },
		"the other marker":     func(n *node) int { return n.damage(markers, slot(1)) },
		"both markers":         func(n *node) int { return n.damage(markers, any_) },
		"entries of one slot":  func(n *node) int { return n.damage(bodies, slot(0)) },
		"entries of the other": func(n *node) int { return n.damage(bodies, slot(1)) },
		"all entries":          func(n *node) int { return n.damage(bodies, any_) },
		"everything":           func(n *node) int { return n.damage(bodies, any_) + n.damage(markers, any_) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, func(c *Config) { c.CheckpointEvery = time.Millisecond })
			for round := range 4 {
				for i := range 10 {
					n.append(event1(fmt.Sprint("d", i*(1+round)), "m", float64(round)))
				}
				for i := range 10 {
					n.read(fmt.Sprint("d", i*(1+round)))
				}
				n.restart()
			}
			n.stop(t.Context())
			if damage(n) == 0 {
				t.Fatal("nothing was damaged")
			}
			n.start()
			for i := range 10 {
				n.append(event1(fmt.Sprint("d", i), "m", 9))
			}
			for i := range 40 {
				n.read(fmt.Sprint("d", i))
			}
			n.compare()
		})
	}
}

// Entries that are found corrupt while the next checkpoint copies them are written again.
func TestCorruptEntryIsMended(t *testing.T) {
	n := newNode(t, func(c *Config) { c.CheckpointEvery = time.Hour })
	n.append(event1("d", "m", 1), event1("e", "m", 1))
	n.restart()
	n.stop(t.Context())
	n.damage(bodies, func(k []byte) bool { return bytes.Contains(k, []byte("\x00d\x00")) })
	n.start()
	n.append(event1("e", "m", 2))
	n.restart()
	n.append(event1("e", "m", 3))
	if r := n.read("d"); r.To != 1 {
		t.Errorf("version %d", r.To)
	}
	if got := n.metric("dashfeed_checkpoints_corrupt_total", ""); got == 0 {
		t.Error("not counted")
	}
}

// The log drops only records that both checkpoints contain.
func TestReleaseFollowsTheOlderCheckpoint(t *testing.T) {
	n := newNode(t, func(c *Config) { c.CheckpointEvery = time.Millisecond })
	r := n.append(event1("d", "m", 1))[0]
	n.read("d")
	shard := n.shard(r.Partition)
	n.until("checkpoint", func() bool {
		base := shard.base()
		return base != nil && base.Position == r.Position
	})
	if m := shard.base(); m.Position == (messages.Position{}) {
		t.Error("the marker stands nowhere")
	}
	n.until("written again", func() bool { return n.metric("dashfeed_checkpoints_total", "written") >= 2 })
}
