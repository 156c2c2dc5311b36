package actors

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/messages"
)

func (s *station) admin(method, path, body string) string {
	s.Helper()
	said, err := s.broker.Admin(method, path, body)
	s.check(err)
	return said
}

// topic returns the name of the shard's partition in the admin API.
func (s *station) topic() string {
	return strings.Replace(pulsar.PartitionTopic(pulsar.EventsTopic(s.tenant), 0), "://", "/", 1)
}

// backlog returns how many entries the broker keeps for the guard.
func (s *station) backlog() int {
	s.Helper()
	var stats struct {
		Subscriptions map[string]struct{ MsgBacklog int }
	}
	s.check(json.Unmarshal([]byte(s.admin("GET", s.topic()+"/stats", "")), &stats))
	return stats.Subscriptions[pulsar.GuardName("actors")].MsgBacklog
}

// trim appends events that nobody folds. It makes the broker drop them and everything before,
// except the newest. The hosts that fold the shard are stopped; s is another host.
func (s *station) trim() {
	s.Helper()
	s.append(10)
	s.stop() // the client's producers have a data race when they reconnect
	s.admin("PUT", s.topic()+"/unload", "")
	s.start()
	s.append(1) // in a ledger of its own
	namespace := "namespaces/" + strings.TrimPrefix(strings.TrimSuffix(s.topic(), "/events-partition-0"), "persistent/")
	s.admin("POST", namespace+"/retention", `{"retentionTimeInMinutes":0,"retentionSizeInMB":0}`)
	s.admin("DELETE", s.topic()+"/subscription/"+pulsar.GuardName("actors")+"?force=true", "")
	s.until("the broker drops what nobody needs", func() bool {
		s.admin("POST", s.topic()+"/trim", "")
		var stats struct{ Ledgers []any }
		s.check(json.Unmarshal([]byte(s.admin("GET", s.topic()+"/internalStats", "")), &stats))
		return len(stats.Ledgers) == 1
	})
}

func (s *station) untilStill() {
	s.Helper()
	s.until("standing still", func() bool {
		err := s.host.Troubles()
		return errors.Is(err, eventlog.ErrTrimmed) && strings.Contains(err.Error(), "accept the loss")
	})
}

// published waits until the newest checkpoint that others can read reaches the receipt.
func (s *station) published(r eventlog.Receipt) {
	s.Helper()
	s.until("published", func() bool {
		at, err := s.store.Newest(s.Context(), s.shard)
		s.check(err)
		return !r.Position.After(at)
	})
}

// The log of two hosts has lost records that neither has folded, so both shards stop. An operator
// accepts the loss on one host, and on the other as well, later, or never. One host serves, both
// have the same state, byte for byte, and the guard releases what is published from then on.
func TestALossOnTwoHosts(t *testing.T) {
	for _, other := range []string{"too", "later", "never"} {
		t.Run(other, func(t *testing.T) {
			t.Parallel()
			all := newStations(t, "one", "two", "crowd")
			one, two, crowd := all[0], all[1], all[2]
			epoch := bereave(one, two, crowd)
			one.check(one.host.AcceptLoss(t.Context(), one.shard))
			if other == "too" {
				two.check(two.host.AcceptLoss(t.Context(), two.shard))
			}
			one.untilLive()
			one.host.Own(one.shard, true)
			after := crowd.append(5)
			one.published(after)
			if other == "later" {
				two.check(two.host.AcceptLoss(t.Context(), two.shard))
			}
			two.untilLive()

			for range 4 {
				after = crowd.append(3)
				one.published(after)
			}
			// The record of the checkpoint before the last is kept, and what lies behind it. So an
			// idle shard has some backlog.
			one.until("the guard lets go", func() bool { return one.backlog() <= 4 })
			a, b := one.read(after), two.read(after)
			if a.Epoch != b.Epoch || a.To != b.To || a.Epoch == epoch {
				t.Errorf("epoch %s version %d, the other %s %d, before the loss %s", a.Epoch, a.To, b.Epoch, b.To, epoch)
			}
			if want := uint64(20 + 1 + 5 + 4*3); a.Counters.Accepted != want {
				t.Errorf("%d events are counted, want %d: those before the hole and those behind it", a.Counters.Accepted, want)
			}
			if x, y := one.bytes(), two.bytes(); !slices.Equal(x, y) || len(x) == 0 {
				t.Errorf("%d bytes differ from the other's %d", len(x), len(y))
			}
		})
	}
}

// bereave makes two hosts fold 20 events and stop. Then the log loses the next 10, but not the one
// after, and both shards stop.
func bereave(one, two, crowd *station) (epoch messages.Epoch) {
	one.host.Load(one.shard)
	two.host.Load(two.shard)
	one.untilLive()
	one.host.Own(one.shard, true)
	before := crowd.append(20)
	epoch = two.read(before).Epoch
	one.published(before)
	one.stop()
	two.stop()
	crowd.trim()
	for _, s := range []*station{one, two} {
		s.start()
		s.host.Load(s.shard)
		s.untilStill()
	}
	return epoch
}

// bytes stops the host and returns the states of the shard and of d in its last checkpoint.
func (s *station) bytes() []byte {
	s.Helper()
	s.stop()
	s.start()
	m, passedOver, err := s.store.Load(s.Context(), s.shard)
	s.check(errors.Join(err, passedOver))
	e, err := s.store.Get(s.shard, s.key())
	s.check(err)
	return slices.Concat(m.Position.Append(nil), m.State, e.State)
}
