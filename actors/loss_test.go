package actors

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// shortened is a log that has dropped what lies before a position of each partition.
type shortened struct {
	eventlog.Log

	mu     sync.Mutex
	oldest map[int]messages.Position // the first one kept
}

func (s *shortened) cut(oldest eventlog.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.oldest == nil {
		s.oldest = map[int]messages.Position{}
	}
	s.oldest[oldest.Partition] = oldest.Position
}

func (s *shortened) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	s.mu.Lock()
	oldest := s.oldest[partition]
	s.mu.Unlock()
	before := messages.Position{Lo: max(oldest.Lo, 1) - 1}
	if before.After(after) {
		if !after.IsZero() {
			return nil, fmt.Errorf("read after %s: %w", after, eventlog.ErrTrimmed)
		}
		after = before
	}
	return s.Log.Read(partition, after)
}

// lossy is a node over such a log, with a checkpoint behind three records of "d", and then a hole of two.
func lossy(t *testing.T) (n *node, log *shortened) {
	log = &shortened{}
	n = newNode(t, func(c *Config) {
		log.Log, c.Log = c.Log, log
		c.CheckpointEvery = time.Hour
	})
	n.append(event1("d", "m", 1), event1("d", "m", 2), event1("d", "m", 3))
	n.read("d")
	n.restart()
	n.append(event1("d", "m", 4), event1("d", "m", 5))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	n.stop(gone)
	n.open()
	log.cut(n.append(event1("d", "m", 6), event1("d", "m", 7))[0])
	n.launch()
	return n, log
}

func TestALossStopsTheShard(t *testing.T) {
	n, _ := lossy(t)
	number := n.home("d")
	n.until("standing still", func() bool { return n.host.Ready() != nil && n.shard(number).phase.Load() == phaseFailed })
	if err := n.host.Ready(); !errors.Is(err, eventlog.ErrTrimmed) || !strings.Contains(err.Error(), "accept the loss") {
		t.Errorf("ready says %v", err)
	}
	if got := n.claimed(number); got != 0 {
		t.Errorf("claims %s", got)
	}
	if err := n.host.AcceptLoss(t.Context(), 1-number); err == nil {
		t.Error("the loss of a shard that has lost nothing is accepted")
	}
	m := n.subscribe("d")
	m.sub.Ask(feed.Place{})
	n.check(n.host.AcceptLoss(t.Context(), number))
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	r := n.read("d")
	u := m.take() // the subscription went over to the next shard, or the one that stood still was as quick
	if u.To == 3 && u.Epoch != r.Epoch {
		u = m.next()
	}
	if r.Counters.Accepted != 5 || u.Epoch != r.Epoch || r.To != 6 {
		t.Errorf("accepted %d, epochs %s and %s, version %d", r.Counters.Accepted, u.Epoch, r.Epoch, r.To)
	}
	first := n.recount()[number].Dashboard(key("d")).Epoch()
	if r.Epoch == first {
		t.Error("the epoch is the one before the loss")
	}
	if err := n.host.AcceptLoss(t.Context(), number); err == nil {
		t.Error("the loss is accepted twice")
	}
	n.until("a checkpoint", func() bool { return n.metric("dashfeed_checkpoints_total", "written") > 0 })
	n.restart()
	if again := n.read("d"); again.Epoch != r.Epoch || again.Counters.Accepted != 5 || again.To != r.To {
		t.Errorf("after a restart: epoch %s, accepted %d, version %d", again.Epoch, again.Counters.Accepted, again.To)
	}
	if got := n.metric("dashfeed_losses_accepted_total", ""); got != 0 {
		t.Errorf("the hole was accepted anew")
	}
}

// A crash right after the checkpoint that has the hole, at the position where that begins, and one more loss behind it.
func TestALossBehindALoss(t *testing.T) {
	n, log := lossy(t)
	number := n.home("d")
	n.until("standing still", func() bool { return n.shard(number).phase.Load() == phaseFailed })
	n.check(n.host.AcceptLoss(t.Context(), number))
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	epoch := n.read("d").Epoch
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	n.until("a checkpoint", func() bool { return n.metric("dashfeed_checkpoints_total", "written") > 0 })
	n.stop(gone)
	n.start()
	if r := n.read("d"); r.Epoch != epoch || r.Counters.Accepted != 5 {
		t.Errorf("epoch %s, want %s; accepted %d", r.Epoch, epoch, r.Counters.Accepted)
	}
	n.restart()
	n.append(event1("d", "m", 8))
	n.stop(gone)
	n.open()
	log.cut(n.append(event1("d", "m", 9))[0])
	n.launch()
	n.until("standing still", func() bool { return n.shard(number).phase.Load() == phaseFailed })
	n.check(n.host.AcceptLoss(t.Context(), number))
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	if r := n.read("d"); r.Epoch == epoch || r.Counters.Accepted != 6 {
		t.Errorf("epoch %s, before %s; accepted %d", r.Epoch, epoch, r.Counters.Accepted)
	}
}
