package pulsar_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// arrivals collects the records of a tenant's shards as their homes take them: a forwarded record
// counts only if it is beyond the last one from its origin.
type arrivals struct {
	last     map[[2]int]messages.Position // by home and origin
	numbers  map[string][]string          // by dashboard
	repeated int
	all      int
}

func (a *arrivals) take(shard int, r *messages.Record) {
	if !r.Origin.Position.IsZero() {
		from := [2]int{shard, r.Origin.Partition}
		if !r.Origin.Position.After(a.last[from]) {
			a.repeated++
			return
		}
		a.last[from] = r.Origin.Position
	}
	a.numbers[r.Key.Dashboard] = append(a.numbers[r.Key.Dashboard], string(r.Payload))
	a.all++
}

// What others produce to partitions that were added to a topic reaches the homes of its dashboards:
// all of it, once and in order, while the forwarding processes come and go. The guard of the added
// partitions releases it.
func TestPartitionsThatWereAdded(t *testing.T) {
	const made, grown, dashboards, n = 2, 5, 12, 3000
	c := pulsartest.Shared(t)
	watches := func(c *pulsar.Config) { c.CheckEvery, c.ForwardAdded, c.Cluster = 100*time.Millisecond, true, "added" }
	l := open(t, c, watches)
	name, first := tenant(t, l, made, pulsar.BrokerTime)
	topic := pulsar.EventsTopic(name)
	admin(t, c, "POST", topicPath(topic)+"/partitions", fmt.Sprint(grown))
	await(t, "a problem that says what becomes of them", func() bool {
		for _, p := range l.Problems() {
			if p.Topic == topic && strings.Contains(p.What, "it has 5 partitions, the tenant was made with 2: what is produced to the others is forwarded") {
				return !p.Stops && strings.Contains(p.Command, "dashfeed tenant add NAME --partitions 5")
			}
		}
		return false
	})

	p := foreignProducer(t, c, client.ProducerOptions{Topic: topic, BatchingMaxPublishDelay: 5 * time.Millisecond})
	empty := foreignProducer(t, c, client.ProducerOptions{Topic: pulsar.PartitionTopic(topic, made), DisableBatching: true})
	for i := range n {
		if i%(n/10) == n/20 { // the client drops this one: its number is missing, and no other
			if _, err := empty.Send(t.Context(), &client.ProducerMessage{Payload: []byte{}}); err != nil {
				t.Fatal(err)
			}
		}
		if i == n/3 || i == 2*n/3 { // another process takes over in the middle
			next := open(t, c, watches)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = next
		}
		m := &client.ProducerMessage{Key: fmt.Sprintf("%s/d%d", name, i%dashboards), Payload: fmt.Appendf(nil, "%08d", i)}
		p.SendAsync(t.Context(), m, func(_ client.MessageID, _ *client.ProducerMessage, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := p.FlushWithCtx(t.Context()); err != nil {
		t.Fatal(err)
	}

	await(t, "no backlog in the partitions that were added", func() bool {
		for i := made; i < grown; i++ {
			var stats struct {
				Subscriptions map[string]struct{ MsgBacklog int }
			}
			if err := json.Unmarshal([]byte(admin(t, c, "GET", topicPath(pulsar.PartitionTopic(topic, i))+"/stats", "")), &stats); err != nil {
				t.Fatal(err)
			}
			if guard, ok := stats.Subscriptions[pulsar.GuardName("added")]; !ok || guard.MsgBacklog > 0 {
				return false
			}
		}
		return true
	})
	a := &arrivals{last: map[[2]int]messages.Position{}, numbers: map[string][]string{}}
	misrouted := 0 // the client's hash put them into the other of the two shards, which forwards them
	for shard := first; shard < first+made; shard++ {
		for _, r := range everything(t, l, shard) {
			if at, _ := l.PartitionOf(r.Key); at == shard {
				a.take(shard, &r)
			} else {
				misrouted++
			}
		}
	}
	if a.all+misrouted != n || len(a.last) != made*(grown-made) {
		t.Errorf("%d events came home from %d places, and %d lie in the other shard: want %d together", a.all, len(a.last), misrouted, n)
	}
	for d, numbers := range a.numbers {
		if !slices.IsSorted(numbers) {
			t.Errorf("%s: not in order", d)
		}
	}
	t.Logf("%d events came home, %d of them once more", a.all, a.repeated)
}

// everything returns all records of the shard.
func everything(t *testing.T, l *pulsar.Log, shard int) []messages.Record {
	t.Helper()
	last, err := l.Last(t.Context(), shard)
	if err != nil {
		t.Fatal(err)
	}
	all, err := takeUntil(t.Context(), reader(t, l, shard, messages.Position{}), func(all []messages.Record) bool {
		return len(all) > 0 && all[len(all)-1].Position == last
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
