package pulsar

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	// queued is how many messages of at most pieceBytes wait in a reader.
	queued = 1000
	// atOnce is how many partitions are read at a time: each reader has a queue.
	atOnce = 4
)

// open opens a reader of the partition. The client's call takes no context.
func (p *place) open(ctx context.Context, topic string, from pulsar.MessageID) (pulsar.Reader, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	r, err := p.reading.CreateReader(pulsar.ReaderOptions{
		Topic: topic, Name: p.config.name(), StartMessageID: from, StartMessageIDInclusive: true,
		ReadCompacted: true, ReceiverQueueSize: queued, BackoffPolicyFunc: broker.NewBackoff, Decryption: broker.Encrypted(),
	})
	if err != nil {
		return nil, p.explain("read", topic, err)
	}
	return r, nil
}

// read passes everything in the partition up to its present end to c. Reading less is an error: a
// newer checkpoint may be there.
func (p *place) read(ctx context.Context, topic string, c *contents) error {
	select {
	case p.readers <- struct{}{}:
		defer func() { <-p.readers }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r, err := p.open(ctx, topic, pulsar.EarliestMessageID())
	if err != nil {
		return err
	}
	defer r.Close()
	last, err := r.GetLastMessageID()
	if err != nil {
		return p.explain("find the end of", topic, err)
	}
	var at pulsar.MessageID
	for r.HasNext() {
		m, err := r.Next(ctx)
		if err != nil {
			return p.explain("read", topic, err)
		}
		at = m.ID()
		if err := c.observe(m.Key(), m.Payload()); err != nil {
			return err
		}
	}
	if isEmpty(last) || at != nil && !before(at, last) {
		return nil
	}
	if _, err := r.GetLastMessageID(); err != nil {
		return p.explain("read", topic, err)
	}
	return fmt.Errorf("read %s: it ended at %v, and its last message is %v: %w", topic, at, last, eventlog.ErrUnreachable)
}

// tail finds the slot and position of the marker at the partition's end; none if the end is not a
// marker.
func (p *place) tail(ctx context.Context, topic string) (slot int, position messages.Position, err error) {
	r, err := p.open(ctx, topic, pulsar.LatestMessageID())
	if err != nil {
		return none, position, err
	}
	defer r.Close()
	last, err := r.GetLastMessageID()
	if err != nil {
		return none, position, p.explain("find the end of", topic, err)
	}
	if isEmpty(last) || !r.HasNext() {
		return none, position, nil
	}
	c, err := newContents()
	if err != nil {
		return none, position, err
	}
	defer c.close()
	for slot = none; r.HasNext(); {
		m, err := r.Next(ctx)
		if err != nil {
			return none, position, p.explain("read", topic, err)
		}
		c.marks = [2]*mark{}
		if err := c.observe(m.Key(), m.Payload()); err != nil {
			return none, position, err
		}
		slot = none
		for s, m := range c.marks {
			if m != nil {
				slot, position = s, m.Position
			}
		}
	}
	return slot, position, nil
}

// isEmpty reports whether id is the end of a partition that never had a message.
func isEmpty(id pulsar.MessageID) bool { return id.EntryID() < 0 || id.LedgerID() < 0 }

func before(a, b pulsar.MessageID) bool {
	return a.LedgerID() < b.LedgerID() || a.LedgerID() == b.LedgerID() && a.EntryID() < b.EntryID()
}

// explain adds to a client's error what can be done about it.
func (p *place) explain(what, topic string, err error) error {
	switch {
	case isMissing(err):
		return fmt.Errorf("%s %s: the topic is missing, perhaps deleted: %s: %w", what, topic, remake(topic), err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, checkpoint.ErrCorrupt):
		return fmt.Errorf("%s %s: %w", what, topic, err)
	}
	return fmt.Errorf("%s %s: %w: %w", what, topic, eventlog.ErrUnreachable, err)
}

// isMissing reports whether the topic is missing. The broker's refusal comes as text.
func isMissing(err error) bool {
	return errors.Is(err, pulsar.ErrTopicNotfound) || strings.Contains(err.Error(), "TopicNotFound") || strings.Contains(err.Error(), "Topic Not Found")
}
