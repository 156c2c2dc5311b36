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

// shortened is a log that has dropped the records before a position of each partition.
type shortened struct {
	eventlog.Log

	mu     sync.Mutex
	oldest map[int]messages.Position // the first record kept
	errs   map[int]error             // the error of a read
}

func (s *shortened) behind(partition int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = map[int]error{partition: err}
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
	oldest, err := s.oldest[partition], s.errs[partition]
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	before := messages.Position{Lo: max(oldest.Lo, 1) - 1}
	if before.After(after) {
		if !after.IsZero() {
			return nil, fmt.Errorf("read after %s: %w", after, eventlog.ErrTrimmed)
		}
		after = before
	}
	return s.Log.Read(partition, after)
}

// lossy returns a node over such a log, with a checkpoint after three records of "d", followed by a
// hole of two.
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
	gone := ended(t.Context())
	n.stop(gone)
	n.open()
	log.cut(n.append(event1("d", "m", 6), event1("d", "m", 7))[0])
	n.launch()
	return n, log
}

// keyAt returns a dashboard whose home is the partition.
func (n *node) keyAt(partition int) messages.Key {
	for i := 0; ; i++ {
		if name := fmt.Sprint("at", i); n.home(name) == partition {
			return key(name)
		}
	}
}

func TestALossStopsTheShard(t *testing.T) {
	n, _ := lossy(t)
	number := n.home("d")
	n.until("ready", func() bool { return n.host.Ready() == nil })
	if err := n.host.Troubles(); !errors.Is(err, eventlog.ErrTrimmed) || !strings.Contains(err.Error(), "accept the loss") {
		t.Errorf("troubles are %v", err)
	}
	if !n.host.Failed(number) || n.host.Failed(1-number) {
		t.Error("which of the shards has failed is not told")
	}
	if _, err := n.host.Read(t.Context(), key("d"), feed.Query{}); !errors.Is(err, feed.ErrUnserved) {
		t.Errorf("a dashboard of it is read: %v", err)
	}
	if _, err := n.host.Read(t.Context(), n.keyAt(1-number), feed.Query{}); err != nil {
		t.Errorf("a dashboard of the other shard: %v", err)
	}
	if _, err := n.host.List(t.Context(), "default", "", "", 10); err != nil {
		t.Errorf("the list: %v", err)
	}
	if got := n.claimed(number); got != 0 {
		t.Errorf("claims %s", got)
	}
	if err := n.host.AcceptLoss(t.Context(), 1-number); err == nil {
		t.Error("the loss of a shard that has lost nothing is accepted")
	}
	m := n.subscribe("d")
	m.sub.Ask(feed.Place{})
	if err := n.host.Retry(t.Context(), number); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Errorf("it is loaded again, and the hole is as it was: %v", err)
	}
	n.check(n.host.AcceptLoss(t.Context(), number))
	if n.claimed(number) != messages.Live {
		t.Error("the loss is accepted, and the shard is not live yet")
	}
	if err := n.host.Troubles(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	r := n.read("d")
	// the subscription moved to the next shard, or the stopped shard answered first
	u := m.take()
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
	if err := n.host.Retry(t.Context(), number); err == nil {
		t.Error("a shard that has not stopped is loaded again")
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

// If the shard cannot continue although the loss was accepted, the operator is told why.
func TestALossThatIsAcceptedInVain(t *testing.T) {
	n, log := lossy(t)
	number := n.home("d")
	n.until("stopped", func() bool { return n.host.Failed(number) })
	log.behind(number, errors.New("this is no log")) // records behind the hole cannot be read
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := n.host.AcceptLoss(ctx, number); err == nil || errors.Is(err, ErrGoesOn) {
		t.Errorf("the log gives nothing, and the shard goes on: %v", err)
	}
	log.behind(number, fmt.Errorf("its blocks are damaged: %w", eventlog.ErrCorrupt))
	n.until("stopped again", func() bool { return n.host.Failed(number) })
	log.behind(number, nil)
	if err := n.host.Retry(t.Context(), number); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Errorf("it is loaded again, and the hole is as it was: %v", err)
	}
	n.check(n.host.AcceptLoss(t.Context(), number))
}

// A crash right after the checkpoint that contains the hole, at the position where the hole begins,
// and one more loss behind it.
func TestALossBehindALoss(t *testing.T) {
	n, log := lossy(t)
	number := n.home("d")
	n.until("standing still", func() bool { return n.shard(number).phase() == phaseFailed })
	n.check(n.host.AcceptLoss(t.Context(), number))
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	epoch := n.read("d").Epoch
	gone := ended(t.Context())
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
	n.until("standing still", func() bool { return n.shard(number).phase() == phaseFailed })
	n.check(n.host.AcceptLoss(t.Context(), number))
	n.until("live", func() bool { return n.claimed(number) == messages.Live })
	if r := n.read("d"); r.Epoch == epoch || r.Counters.Accepted != 6 {
		t.Errorf("epoch %s, before %s; accepted %d", r.Epoch, epoch, r.Counters.Accepted)
	}
}
