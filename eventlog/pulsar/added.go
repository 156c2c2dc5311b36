package pulsar

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// Partitions that were added to a tenant's topic since the tenant was made are nobody's home: the number that decides a home never
// changes. What other clients produce to them is forwarded home, in order, by one process of the cluster: whoever holds the
// partition's guard subscription alone, which also remembers how far it has come. After a crash some records are forwarded again; home
// tells by their origin that it has them.
const (
	addedQueue   = 256     // messages that the client holds for a forwarder
	forwardMost  = 512     // records of one append, but for one message's
	forwardBytes = 1 << 20 // payloads of one append, but for one message's
	forwardAgain = 5 * time.Second
)

// maxOrigin is the greatest number that stands for a partition in an origin: a shard's, or that of an added partition, which is
// maxShards and its number within its topic.
const maxOrigin = maxShards + MaxPartitions

// added are the partitions that this process forwards, or waits to forward, by their topics.
type added struct {
	mu        sync.Mutex
	following map[string]bool
}

// followAdded has the partitions beyond the tenant's own forwarded from now on, until Close.
func (l *Log) followAdded(x *tenant, partitions int) {
	l.added.mu.Lock()
	defer l.added.mu.Unlock()
	for n := x.Partitions; n < partitions; n++ {
		p := &partition{shard: maxShards + n, tenant: x, number: n, topic: PartitionTopic(EventsTopic(x.Name), n)}
		if l.added.following[p.topic] {
			continue
		}
		if l.added.following == nil {
			l.added.following = map[string]bool{}
		}
		l.added.following[p.topic] = l.work(func() { l.followOne(p) })
	}
}

// followOne forwards what the partition holds; while another process does, it waits for its turn.
func (l *Log) followOne(p *partition) {
	numbers := &sequence{}
	for {
		err := l.forward(p, numbers)
		switch {
		case l.life.Err() != nil:
			return
		case errors.Is(err, errOwed):
			continue
		case errors.Is(err, errDoubted):
			l.logger.Warn("numbers of records in a partition that was added are not in sequence, they are read again", "topic", p.topic, "came", numbers.doubted)
			continue
		case isBusy(err):
			l.logger.Debug("another process forwards the records of a partition that was added", "topic", p.topic)
		default:
			l.logger.Warn("records of a partition that was added can't be forwarded to their homes, trying again", "topic", p.topic, "error", err, "after", forwardAgain)
		}
		if !eventlog.Pause(l.life, forwardAgain) {
			return
		}
	}
}

// isBusy reports that another consumer has the subscription. The broker says so by its text.
func isBusy(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "ConsumerBusy") || strings.Contains(err.Error(), "Exclusive consumer is already connected"))
}

// forward holds the partition's guard and forwards until the log is closed or something is wrong.
func (l *Log) forward(p *partition, numbers *sequence) error {
	c, err := l.reading.Subscribe(pulsar.ConsumerOptions{
		Topic: p.topic, SubscriptionName: GuardName(l.config.Cluster), Type: pulsar.Exclusive,
		SubscriptionInitialPosition: pulsar.SubscriptionPositionEarliest, ReceiverQueueSize: addedQueue, BackOffPolicyFunc: broker.NewBackoff, Decryption: broker.Encrypted(),
		AckGroupingOptions: &pulsar.AckGroupingOptions{MaxSize: 1}, // at once, or whoever comes next forwards more of it again
	})
	if err != nil {
		return classify(err)
	}
	defer c.Close()
	f := &forwarder{l: l, p: p, decoder: newDecoder(l, p), numbers: numbers}
	defer f.decoder.close()
	for {
		last, err := f.gather(c)
		if err != nil {
			return err
		}
		if err := f.send(); err != nil {
			return err
		}
		if err := c.AckCumulative(last); err != nil { // they come again, and home knows them
			return unreachable(err)
		}
		if f.owed {
			return errOwed
		}
	}
}

// forwarder is what a process has of an added partition that it forwards.
type forwarder struct {
	l       *Log
	p       *partition
	decoder *decoder
	numbers *sequence
	records []messages.Record // of one message
	entries []eventlog.Entry  // to be appended
	bytes   int               // payloads of entries
	owed    bool              // see errOwed
}

// gather takes a message, and those that are there already, as far as one append goes.
func (f *forwarder) gather(c pulsar.Consumer) (last pulsar.Message, err error) {
	f.entries, f.bytes = f.entries[:0], 0
	if last, err = c.Receive(f.l.life); err != nil {
		return nil, err
	}
	for {
		if err := f.take(last); err != nil {
			return nil, err
		}
		if len(f.entries) >= forwardMost || f.bytes >= forwardBytes {
			return last, nil
		}
		select {
		case m, open := <-c.Chan():
			if !open {
				return nil, errors.New("the consumer was closed")
			}
			last = m.Message
		default:
			return last, nil
		}
	}
}

// take makes entries of a message's records. Ticks, and what is no dashboard's, end here; what was forwarded before came here by
// a mistake.
func (f *forwarder) take(m pulsar.Message) error {
	at, err := placeOf(m.ID())
	if err != nil {
		return err
	}
	if why := unread(m); why != "" {
		f.refused(m, why)
		f.owed = f.owed || m.GetEncryptionContext() != nil && m.GetEncryptionContext().BatchSize > 1
		return nil
	}
	if !f.numbers.follows(m.Index()) {
		return errDoubted
	}
	v, err := f.decoder.verify(f.l.life, m, at)
	if err != nil {
		return err
	}
	if f.records, err = f.decoder.records(f.records[:0], m, v, at, messages.Position{}); err != nil {
		return err
	}
	for i := range f.records {
		r := &f.records[i]
		if r.Refused != "" {
			f.refused(m, r.Refused)
			continue
		}
		if r.Key.Dashboard == "" || r.Kind == messages.KindTick || !r.Origin.Position.IsZero() {
			continue
		}
		f.bytes += len(r.Payload)
		f.entries = append(f.entries, eventlog.Entry{
			Kind: r.Kind, Key: messages.Key{Tenant: r.Key.Tenant, Dashboard: strings.Clone(r.Key.Dashboard)},
			Origin: messages.Origin{Partition: f.p.shard, Position: r.Position}, Payload: bytes.Clone(r.Payload),
			EventTime: r.EventTime,
		})
	}
	return nil
}

// refused tells of a message that goes to no dashboard. There is no shard that could list it.
func (f *forwarder) refused(m pulsar.Message, why string) {
	f.l.metrics.unaddressed.WithLabelValues(why).Inc()
	f.l.logger.Warn("a message in a partition that was added is refused: no dashboard gets it",
		"topic", f.p.topic, "id", m.ID(), "key", m.Key(), "producer", m.ProducerName(), "reason", why)
}

// errOwed ends a consumer that was given a batch as one message, since it is encrypted: it believes that the broker still owes it the
// others, and asks for nothing more.
var errOwed = errors.New("an encrypted batch came")

var errDoubted = errors.New("a message does not follow the one before")

// sequence watches the broker's numbers of messages: what came home before those in front of it would keep them out for good. The
// client, when it connects again, may give what it had from the old connection before it gives again what it threw away.
type sequence struct {
	next    uint64 // that the next message has; a lower one was there before and comes again
	known   bool
	doubted uint64 // the one that did not follow
}

// follows reports whether the message may be taken. Where it did not follow once, and comes so again from a consumer that
// began anew, nothing lies between: a number was the broker's own, or another process has forwarded what had it.
func (s *sequence) follows(index *uint64) bool {
	if index == nil { // of a tenant of ticks: it can't be told
		return true
	}
	if s.known && *index > s.next && *index != s.doubted {
		s.doubted = *index
		return false
	}
	s.next, s.known = *index+1, true
	return true
}

// send appends the entries until they are stored, or the log is closed.
func (f *forwarder) send() error {
	if len(f.entries) == 0 {
		return nil
	}
	return eventlog.Insist(f.l.life, f.l, f.entries, eventlog.Insistence{
		Stored: func(n int) { f.l.metrics.forwarded.Add(float64(n)) },
		Refused: func(e eventlog.Entry, err error) {
			f.l.logger.Error("a record of a partition that was added can't be forwarded to its home and is passed over",
				"topic", f.p.topic, "position", e.Origin.Position, "key", e.Key, "error", err)
		},
		Again: func(err error, wait time.Duration) {
			f.l.logger.Warn("records of a partition that was added can't be forwarded to their homes, trying again", "topic", f.p.topic, "error", err, "after", wait)
		},
	})
}
