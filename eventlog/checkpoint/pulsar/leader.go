package pulsar

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// flushAtLatest is when a batch that is not full is sent: each producer wakes up that often,
// whether it has anything to send or not. A leader flushes after its last message.
const flushAtLatest = time.Second

// Lead takes the partition's Exclusive producer, then reads to the end: from then on nobody else
// writes.
func (p *place) Lead(ctx context.Context, shard int) (shared.Leader, error) {
	topic, err := p.config.Topic(shard)
	if err != nil {
		return nil, err
	}
	producer, err := p.take(ctx, topic)
	if err != nil {
		return nil, err
	}
	l := &leader{place: p, topic: topic, producer: producer}
	if l.packer, err = newPacker(); err == nil {
		err = l.learn(ctx)
	}
	if err != nil {
		producer.Close()
		return nil, err
	}
	return l, nil
}

// take asks for the producer, and retries while a previous leader may be releasing it. Waiting in
// the broker's queue (WaitForExclusive) could make a frozen leader the writer again much later,
// unnoticed.
func (p *place) take(ctx context.Context, topic string) (pulsar.Producer, error) {
	deadline := time.Now().Add(p.config.TakeWait)
	b := broker.NewBackoff()
	made := false
	for {
		producer, err := p.producing.CreateProducer(pulsar.ProducerOptions{
			Topic: topic, Name: p.config.producerName(), Properties: map[string]string{"cluster": p.config.Cluster, "node": p.config.Node},
			ProducerAccessMode: pulsar.ProducerAccessModeExclusive,
			SendTimeout:        p.config.Timeout, MaxPendingMessages: queued,
			BatchingMaxPublishDelay: flushAtLatest, BatchingMaxSize: batchBytes, BatchingMaxMessages: 1000,
			BackOffPolicyFunc: broker.NewBackoff,
		})
		if err == nil {
			return producer, nil
		}
		if isMissing(err) && !made { // deleted: this process has everything that was in it
			if err := p.admin.Do(ctx, http.MethodPut, broker.TopicPath(topic), nil, nil); err != nil {
				return nil, fmt.Errorf("the topic was deleted, and can't be created again: %s: %w", remake(topic), err)
			}
			p.config.Logger.Warn("a topic of checkpoints was deleted and is created again", "topic", topic)
			made = true
			continue
		}
		if !broker.IsTaken(err) {
			return nil, p.explain("write", topic, err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%w: %s: %w", shared.ErrLost, p.admin.holder(ctx, topic, p.config.Cluster), err)
		}
		select {
		case <-time.After(b.Next()):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// leader writes one partition. What it knows of the partition is right while it holds the producer
// and every write succeeds: after an error it is closed, and the next one reads again.
type leader struct {
	place    *place
	topic    string
	producer pulsar.Producer
	packer   *packer

	entries  map[uint64]*[2]written
	tallies  [2]tally // of the newest entries, whether they count under a marker or not
	marks    [2]*mark // nil: not whole
	sequence uint32
	greatest messages.Position

	// what the slots lack: until the slot's first checkpoint, entries whose hash differs from that
	// in hashes, which is nil afterwards; then entries that changed since the local checkpoint of
	// that sequence
	hashes [2]map[uint64]uint64
	since  [2]uint64
	// entries that a dead leader left: removed unless this leader writes them
	orphans [2]map[uint64]orphan

	settled   bool // the partition was compacted once
	movedAt   time.Time
	published bool // by this leader: so the partition cannot be empty
}

// learn reads what the partition has.
func (l *leader) learn(ctx context.Context) error {
	c, err := newContents()
	if err != nil {
		return err
	}
	defer c.close()
	c.hashing = true
	if err := l.place.read(ctx, l.topic, c); err != nil {
		return err
	}
	l.entries, l.sequence, l.greatest, l.orphans = c.entries, c.sequence, c.greatest, c.orphans
	for slot := range 2 {
		if c.whole(slot) == nil {
			l.marks[slot] = c.marks[slot]
		}
		l.hashes[slot] = c.hashes[slot]
		if l.hashes[slot] == nil {
			l.hashes[slot] = map[uint64]uint64{}
		}
		for name, w := range l.entries {
			if w[slot].sequence != 0 {
				l.tallies[slot].add(name, w[slot].sequence)
			}
		}
	}
	return nil
}

func (l *leader) Close() error {
	l.producer.Close()
	return nil
}

// Publish writes into the slot that does not hold the newest whole checkpoint.
func (l *leader) Publish(ctx context.Context, m checkpoint.Marker, local shared.Local) (older messages.Position, err error) {
	if !m.Position.After(l.greatest) {
		if m.Position == l.greatest {
			return older, nil
		}
		return older, shared.ErrBehind
	}
	if err := l.present(ctx); err != nil {
		return older, err
	}
	slot := 0
	if l.marks[1] == nil || l.marks[0] != nil && l.marks[0].sequence > l.marks[1].sequence {
		slot = 1
	}
	if l.sequence++; l.sequence == 0 {
		return older, fmt.Errorf("publish in %s: sequence numbers are used up: %s", l.topic, remake(l.topic))
	}
	l.greatest = m.Position
	o := &outbox{leader: l, ctx: ctx}
	err = l.writeEntries(o, slot, local)
	if failed := o.confirmed(); failed != nil {
		return older, l.lost(failed)
	}
	if err != nil {
		return older, err
	}
	written := &mark{sequence: l.sequence, Marker: m, tally: l.tallies[slot]}
	o.send(markerBase(slot), 0, appendMark(nil, *written))
	if err := o.confirmed(); err != nil {
		return older, l.lost(err)
	}
	written.State = nil
	l.marks[slot], l.hashes[slot], l.since[slot], l.published = written, nil, local.Sequence(), true
	if err := l.settle(ctx); err != nil {
		return older, err
	}
	if other := l.marks[1-slot]; other != nil {
		older = other.Position
	}
	return older, nil
}

// writeEntries sends what the slot lacks.
func (l *leader) writeEntries(o *outbox, slot int, local shared.Local) error {
	var body []byte
	hashes := l.hashes[slot]
	after := l.since[slot]
	if hashes != nil {
		after = 0
	}
	err := local.Each(after, func(e checkpoint.Entry) error {
		body = appendEntry(body[:0], e)
		name := nameOf(e.Key)
		delete(l.orphans[slot], name)
		if hashes != nil {
			if h, there := hashes[name]; there && h == xxh3.Hash(body) {
				return nil
			}
		}
		o.send(base(e.Key, slot), l.write(name, slot), body)
		return o.err()
	})
	if err != nil {
		return err
	}
	l.removeOrphans(o, slot)
	return o.err()
}

// write records a new entry and returns the sequence of the entry that it replaces and that counts
// under the slot's marker.
func (l *leader) write(name uint64, slot int) (prior uint32) {
	pair := l.entries[name]
	if pair == nil {
		pair = new([2]written)
		l.entries[name] = pair
	}
	w := &pair[slot]
	if m := l.marks[slot]; m != nil {
		prior = w.under(m.sequence)
	}
	if w.sequence != 0 {
		l.tallies[slot].less(name, w.sequence)
	}
	*w = written{sequence: l.sequence, prior: prior}
	l.tallies[slot].add(name, l.sequence)
	return prior
}

// lost distinguishes the loss of the partition to another process from other errors.
func (l *leader) lost(err error) error {
	if broker.IsLost(err) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return fmt.Errorf("%w: %s: %w", shared.ErrLost, l.place.admin.holder(ctx, l.topic, l.place.config.Cluster), err)
	}
	return fmt.Errorf("write %s: %w: %w", l.topic, eventlog.ErrUnreachable, err)
}
