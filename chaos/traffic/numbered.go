package traffic

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// numberMark is what an event's number follows.
var numberMark = []byte(`"value":`)

// Numbered sends single events to a tenant's topic, at a rate and for some time, whose values are their numbers from 0 on, and
// calls sent before each. It returns how many were sent.
func Numbered(ctx context.Context, broker, topic, tenant string, names []string, rate int, lasts time.Duration, sent func(n int, dashboard string, at time.Time)) (n int, err error) {
	client, err := Connect(broker)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	producer, err := client.CreateProducer(pulsar.ProducerOptions{
		Topic: topic, MaxPendingMessages: 10_000, BatchingMaxPublishDelay: time.Millisecond,
		MessageRouter: func(m *pulsar.ProducerMessage, t pulsar.TopicMetadata) int {
			return eventlog.PartitionOf(messages.Key{Tenant: tenant, Dashboard: m.Key[len(tenant)+1:]}, int(t.NumPartitions()))
		},
	})
	if err != nil {
		return 0, fmt.Errorf("open a producer of %s: %w", topic, err)
	}
	defer producer.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	failed := make(chan error, 1)
	for began := time.Now(); time.Since(began) < lasts; {
		select {
		case <-tick.C:
		case err := <-failed:
			return n, err
		case <-ctx.Done():
			return n, ctx.Err()
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			d := names[n%len(names)]
			payload := fmt.Appendf(nil, `{"id":"n-%d","dashboard":"%s","metric":"m","value":%d,"labels":{"country":"DE"}}`, n, d, n)
			sent(n, d, time.Now())
			producer.SendAsync(ctx, &pulsar.ProducerMessage{Key: tenant + "/" + d, Payload: payload}, func(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
				if err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			})
		}
	}
	return n, producer.FlushWithCtx(ctx)
}

// NumberOf is the number of an event that Numbered sent.
func NumberOf(payload []byte) (int, bool) {
	_, after, ok := bytes.Cut(payload, numberMark)
	digits, _, more := bytes.Cut(after, []byte{','})
	n, err := strconv.Atoi(string(digits))
	return n, ok && more && err == nil
}

// Fill posts some events to each of many dashboards.
func Fill(ctx context.Context, door string, names []string, each int) error {
	client := &http.Client{Timeout: 30 * time.Second}
	l := &Load{Doors: []string{door}}
	for first := 0; first < len(names) && ctx.Err() == nil; first += maxBatch {
		some := names[first:min(first+maxBatch, len(names))]
		for e := range each {
			events := make([]event, len(some))
			for i, d := range some {
				events[i] = event{id: fmt.Sprintf("fill-%d", e), dashboard: d, value: float64(i % 97), label: e % groups}
			}
			if _, err := l.deliver(client, 0, events); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
