package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"

	"github.com/dashfeed/dashfeed/eventlog"
)

// Way is how a ForeignProducer addresses its messages. All ways are allowed; for all but Home the
// shards must forward the message or find its dashboard.
type Way int

// The ways.
const (
	Home      Way = iota // the dashboard as key, in the partition that clients choose for that key
	Misrouted            // the same key, one partition further, as clients with another hash choose
	Full                 // tenant/dashboard as key, in the partition that clients choose for that key
	Keyless              // no key: the payload names the dashboard
)

var ways = [...]Way{Home, Misrouted, Full, Keyless}

// unsent bounds the messages that a ForeignProducer has sent and that are not acknowledged.
const unsent = 1000

// ForeignProducer writes events to a tenant's topic with the broker's own client, in all ways, with
// every compression, in batches, alone and in chunks in turn. Between them it writes messages that
// Dashfeed must refuse. An event's id decides that it counts once, so the producer sends
// unacknowledged events again, in the same way.
type ForeignProducer struct {
	Name       string
	Broker     string // pulsar://…
	Topic      string // the tenant's events topic
	Tenant     string
	Dashboards []string
	Rate       int // events a second
	Ways       []Way
	Account    *Account
}

// sent is an event with its number and way.
type sent struct {
	event
	n   int
	way Way
}

// Run writes until ctx ends, and then until everything is acknowledged, for 90 s at most.
func (s *ForeignProducer) Run(ctx context.Context) error {
	client, err := Connect(s.Broker, "")
	if err != nil {
		return err
	}
	defer client.Close()
	p, err := s.openProducers(ctx, client)
	if err != nil {
		return err
	}
	defer p.close()
	return s.stream(ctx, p)
}

// stream sends events at the rate, and odd messages between them.
func (s *ForeignProducer) stream(ctx context.Context, p *producers) error {
	list := s.Ways
	if list == nil {
		list = ways[:]
	}
	again := make(chan sent, unsent)
	free := make(chan struct{}, unsent) // bounds the messages in flight
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	began, n := time.Now(), 0
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return s.rest(p, again, free)
		case e := <-again:
			s.send(p, e, again, free)
			continue
		}
		for due := int(time.Since(began).Seconds() * float64(s.Rate)); n < due; n++ {
			select {
			case free <- struct{}{}:
			default: // the broker is down
				due = n
				continue
			}
			s.send(p, sent{makeEvent(s.Name, n, s.Dashboards), n, list[n/len(s.Dashboards)%len(list)]}, again, free)
			if n%oddEvery == 0 {
				s.sendOdd(p, n/oddEvery)
			}
		}
	}
}

// wayProperty tells the router the way; dashboards ignore properties they don't know.
const wayProperty = "way"

func (s *ForeignProducer) route(m *pulsar.ProducerMessage, t pulsar.TopicMetadata) int {
	n := int(t.NumPartitions())
	way, _ := strconv.Atoi(m.Properties[wayProperty])
	switch dashboard := m.Properties["dashboard"]; Way(way) {
	case Full:
		return eventlog.PartitionOf(m.Key, n)
	case Misrouted, Keyless:
		return (eventlog.PartitionOf(dashboard, n) + 1) % n
	default:
		return eventlog.PartitionOf(dashboard, n)
	}
}

// message returns the message of an event.
func (s *ForeignProducer) message(e sent) *pulsar.ProducerMessage {
	m := &pulsar.ProducerMessage{
		Payload:    e.append(nil),
		Properties: map[string]string{wayProperty: strconv.Itoa(int(e.way)), "dashboard": e.dashboard},
	}
	switch e.way {
	case Home, Misrouted:
		m.Key = e.dashboard
	case Full:
		m.Key = s.Tenant + "/" + e.dashboard
	}
	return m
}

func (s *ForeignProducer) send(p *producers, e sent, again chan<- sent, free <-chan struct{}) {
	p.plain[e.n%len(p.plain)].SendAsync(context.Background(), s.message(e), func(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
		if err != nil {
			again <- e // never full: it has room for each message in flight
			return
		}
		s.Account.add([]event{e.event})
		<-free
	})
}

// rest waits until all messages in flight are acknowledged, and retries those that failed.
func (s *ForeignProducer) rest(p *producers, again chan sent, free chan struct{}) error {
	late := time.After(patience)
	for len(free) > 0 {
		select {
		case e := <-again:
			s.send(p, e, again, free)
		case <-time.After(10 * time.Millisecond):
		case <-late:
			return fmt.Errorf("%d events are not acknowledged by %s after %s", len(free), s.Broker, patience)
		}
	}
	return nil
}

// Listener is a plain consumer of a tenant's topic, beside Dashfeed: it measures the broker alone.
type Listener struct {
	client  pulsar.Client
	reader  pulsar.Consumer
	cancel  context.CancelFunc
	joined  sync.WaitGroup
	failure error
}

// Listen calls heard for every message that is published from now on, on one goroutine that Close
// waits for.
func Listen(broker, topic string, heard func(payload []byte, at time.Time)) (*Listener, error) {
	client, err := Connect(broker, "")
	if err != nil {
		return nil, err
	}
	reader, err := client.Subscribe(pulsar.ConsumerOptions{
		Topic: topic, SubscriptionName: "listener", SubscriptionMode: pulsar.NonDurable, Type: pulsar.Exclusive,
		SubscriptionInitialPosition: pulsar.SubscriptionPositionLatest,
	})
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("listen to %s: %w", topic, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Listener{client: client, reader: reader, cancel: cancel}
	l.joined.Go(func() {
		for {
			m, err := reader.Receive(ctx)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					l.failure = err
				}
				return
			}
			heard(m.Payload(), time.Now())
			_ = reader.Ack(m) // the subscription ends with the listener
		}
	})
	return l, nil
}

// Close ends the listener.
func (l *Listener) Close() error {
	l.cancel()
	l.joined.Wait()
	l.reader.Close()
	l.client.Close()
	return l.failure
}

// Connect returns the broker's client without its logging; the token may be "".
func Connect(broker, token string) (pulsar.Client, error) {
	o := pulsar.ClientOptions{
		URL: broker, OperationTimeout: 10 * time.Second, ConnectionTimeout: 5 * time.Second,
		Logger: log.NewLoggerWithSlog(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}
	if token != "" {
		o.Authentication = pulsar.NewAuthenticationToken(token)
	}
	c, err := pulsar.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", broker, err)
	}
	return c, nil
}
