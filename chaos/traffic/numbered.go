package traffic

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
)

// numberMark precedes an event's number in the payload.
var numberMark = []byte(`"value":`)

// Numbered sends events, each as one message, to a tenant's topic at a steady rate, as an ordinary
// producer with batching does. An event's value is its number, from 0 on.
type Numbered struct {
	Broker, Topic string
	Token         string // "": no token
	Dashboards    []string
	Rate          int // events a second
	// Delay bounds how long a message waits for others of its batch; 0: 1 ms
	Delay   time.Duration
	Payload func(n int, dashboard string) []byte        // nil: a short event
	Sent    func(n int, dashboard string, at time.Time) // called before each send; may be nil
}

// Run sends for that long and returns how many events it sent, when all are acknowledged.
func (s *Numbered) Run(ctx context.Context, lasts time.Duration) (n int, err error) {
	client, err := Connect(s.Broker, s.Token)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	delay := s.Delay
	if delay == 0 {
		delay = time.Millisecond
	}
	producer, err := client.CreateProducer(pulsar.ProducerOptions{
		Topic: s.Topic, MaxPendingMessages: 10_000, BatchingMaxPublishDelay: delay,
	})
	if err != nil {
		return 0, fmt.Errorf("open a producer of %s: %w", s.Topic, err)
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
		for due := int(time.Since(began).Seconds() * float64(s.Rate)); n < due; n++ {
			s.send(ctx, producer, n, failed)
		}
	}
	if err := producer.FlushWithCtx(ctx); err != nil {
		return n, err
	}
	select {
	case err := <-failed:
		return n, err
	default:
		return n, nil
	}
}

func (s *Numbered) send(ctx context.Context, producer pulsar.Producer, n int, failed chan<- error) {
	d := s.Dashboards[n%len(s.Dashboards)]
	var payload []byte
	if s.Payload != nil {
		payload = s.Payload(n, d)
	} else {
		payload = fmt.Appendf(nil, `{"id":"n-%d","dashboard":"%s","metric":"m","value":%d,"labels":{"country":"DE"}}`, n, d, n)
	}
	if s.Sent != nil {
		s.Sent(n, d, time.Now())
	}
	producer.SendAsync(ctx, &pulsar.ProducerMessage{Key: d, Payload: payload}, func(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
		if err != nil {
			select {
			case failed <- err:
			default:
			}
		}
	})
}

// NumberOf returns the number of an event that Numbered sent.
func NumberOf(payload []byte) (int, bool) {
	_, after, ok := bytes.Cut(payload, numberMark)
	digits, _, more := bytes.Cut(after, []byte{','})
	n, err := strconv.Atoi(string(digits))
	return n, ok && more && err == nil
}

// Fill posts some events to each of many dashboards.
func Fill(ctx context.Context, gateway string, names []string, each int) error {
	client := &http.Client{Timeout: 30 * time.Second}
	l := &Load{Gateways: []string{gateway}}
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
