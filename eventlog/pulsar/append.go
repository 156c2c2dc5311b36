package pulsar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// maxMessageBytes bounds the size of one packed message before compression, below the default limit
// of brokers (5 MiB).
const maxMessageBytes = 4 << 20

// maxCallBytes bounds the total size of the payloads of one Append.
const maxCallBytes = 64 << 20

// call is one Append in progress. The client's callbacks write to it even after Append gave up.
type call struct {
	entries []eventlog.Entry
	groups  []*group // by partition, in the order of their first entries

	mu       sync.Mutex
	receipts []eventlog.Receipt
	errs     []error
	left     int  // messages without an answer, plus one until all are sent
	given    bool // Append has given up and returned: entries are the caller's again

	done chan struct{}
}

// group holds the entries that a call has for one partition.
type group struct {
	partition *partition
	members   []int // indices into entries
	refused   error // if set, none of the group is stored
}

// message holds the entries of a group that are stored together.
type message struct {
	group   *group
	members []int
}

// Append stores the entries of one call and one partition as one message, hence together or not at
// all. It uses more messages if they exceed 4 MiB or the broker's limit, or if some are local to
// the region (ticks, forwarded records) and some are not. It fails with ErrUnreachable if ctx or
// the configured timeout ends first: then entries may be stored. It refuses entries of an unknown
// tenant, with Partition -1 in their receipt.
func (l *Log) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	if l.life.Err() != nil {
		return nil, eventlog.ErrClosed
	}
	c, err := l.route(entries)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	l.announceKeys(ctx, c)
	l.send(ctx, c)
	receipts, err := c.wait(ctx)
	l.metrics.appended(receipts, entries, time.Since(began))
	return receipts, err
}

var errTimeout = errors.New("the broker did not answer in time")

// route finds every entry's partition and refuses what can't be stored.
func (l *Log) route(entries []eventlog.Entry) (*call, error) {
	c := &call{entries: entries, receipts: make([]eventlog.Receipt, len(entries)), done: make(chan struct{})}
	t := l.table.Load()
	total := 0
	for i := range entries {
		e := &entries[i]
		total += len(e.Payload)
		p, err := t.destination(e)
		if errors.Is(err, eventlog.ErrUnknownTenant) {
			c.receipts[i].Partition = -1
			c.errs = append(c.errs, fmt.Errorf("append: entry %d: %w", i, err))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("append: entry %d: %w", i, err)
		}
		c.receipts[i].Partition = p.shard
		g := c.group(p)
		g.members = append(g.members, i)
		if err := check(e); err != nil && g.refused == nil {
			g.refused = fmt.Errorf("append: partition %d: entry %d: %w", p.shard, i, err)
			c.errs = append(c.errs, g.refused)
		}
	}
	if total > maxCallBytes {
		return nil, fmt.Errorf("append: %w: %d bytes in one call, at most %d", eventlog.ErrTooLarge, total, maxCallBytes)
	}
	return c, nil
}

// announceKeys makes sure that the control topic names every key before a message is signed with
// it. It refuses what can't be signed.
func (l *Log) announceKeys(ctx context.Context, c *call) {
	for _, g := range c.groups {
		signs := slices.ContainsFunc(g.members, func(i int) bool { return isSteeringEntry(&c.entries[i]) })
		if !signs || g.refused != nil {
			continue
		}
		if err := l.announceKey(ctx, g.partition.tenant); err != nil {
			g.refused = fmt.Errorf("append: partition %d: %w", g.partition.shard, err)
			c.errs = append(c.errs, g.refused)
		}
	}
}

// destination returns the entry's partition: its key's home, or the one that the entry names.
func (t *table) destination(e *eventlog.Entry) (*partition, error) {
	if e.Key.Dashboard != "" {
		x, err := t.tenant(e.Key.Tenant)
		if err != nil {
			return nil, err
		}
		return t.shards[x.home(e.Key)], nil
	}
	p, err := t.shard(e.Partition)
	if err == nil && e.Key.Tenant != "" && e.Key.Tenant != p.tenant.Name {
		return nil, fmt.Errorf("partition %d is of tenant %s, not of %q", p.shard, p.tenant.Name, e.Key.Tenant)
	}
	return p, err
}

func check(e *eventlog.Entry) error {
	switch {
	case len(e.Payload) > eventlog.MaxRecordBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", eventlog.ErrTooLarge, len(e.Payload), eventlog.MaxRecordBytes)
	case e.Key.Dashboard != "" && !messages.ValidName(e.Key.Dashboard):
		return fmt.Errorf("%w: %w", eventlog.ErrRefused, messages.CheckName("dashboard", e.Key.Dashboard))
	case e.Kind < messages.KindEvent || e.Kind > messages.KindTick:
		return fmt.Errorf("%w: kind %d is not allowed: event, definition or tick", eventlog.ErrRefused, e.Kind)
	case len(e.Payload) == 0 && e.Kind != messages.KindTick:
		return fmt.Errorf("%w: a payload of 0 bytes is not allowed: only ticks have none", eventlog.ErrRefused)
	}
	return nil
}

func (c *call) group(p *partition) *group {
	for _, g := range c.groups {
		if g.partition == p {
			return g
		}
	}
	c.groups = append(c.groups, &group{partition: p})
	return c.groups[len(c.groups)-1]
}

// send hands all groups to their producers. It opens missing producers at the same time.
func (l *Log) send(ctx context.Context, c *call) {
	c.left = 1
	var opening sync.WaitGroup
	for _, g := range c.groups {
		if g.refused != nil {
			continue
		}
		if w, open := g.partition.producer.peek(); open {
			l.sendGroup(ctx, c, g, w)
			continue
		}
		opening.Go(func() {
			w, err := l.producerOf(ctx, g.partition)
			if err != nil {
				c.fail(fmt.Errorf("append: %w", err))
				return
			}
			l.sendGroup(ctx, c, g, w)
		})
	}
	opening.Wait()
	c.answered()
}

func (l *Log) sendGroup(ctx context.Context, c *call, g *group, w *producer) {
	for _, members := range c.cut(g.members, l.config.Packed) {
		m := &message{g, members}
		c.mu.Lock()
		c.left++
		c.mu.Unlock()
		l.sendMessage(ctx, c, m, l.encode(c, m), w)
	}
}

// cut divides a group's members into messages.
func (c *call) cut(members []int, packed bool) [][]int {
	if len(members) == 1 {
		return [][]int{members}
	}
	var all [][]int
	size := 0
	for n, i := range members {
		e := &c.entries[i]
		size += sizeOf(e)
		if n == 0 || !packed || size > maxMessageBytes || len(all[len(all)-1]) == maxPacked || local(e) != local(&c.entries[members[n-1]]) {
			all, size = append(all, nil), sizeOf(e)
		}
		all[len(all)-1] = append(all[len(all)-1], i)
	}
	return all
}

// sendMessage sends an encoded copy: nothing reads the caller's payloads once Append has returned.
func (l *Log) sendMessage(ctx context.Context, c *call, m *message, encoded *pulsar.ProducerMessage, w *producer) {
	w.client.SendAsync(ctx, encoded, func(id pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
		defer c.answered()
		if err == nil {
			err = c.stored(m, id)
		}
		if err == nil {
			return
		}
		if errors.Is(err, pulsar.ErrMessageTooLarge) && len(m.members) > 1 && l.halve(ctx, c, m, w) {
			return
		}
		if errors.Is(err, pulsar.ErrProducerClosed) {
			l.work(func() { m.group.partition.lose(w) })
		}
		c.fail(fmt.Errorf("append: partition %d: %w", m.group.partition.shard, classify(err)))
	})
}

func (l *Log) encode(c *call, m *message) *pulsar.ProducerMessage {
	entries := make([]*eventlog.Entry, len(m.members))
	for n, i := range m.members {
		entries[n] = &c.entries[i]
	}
	var encoded *pulsar.ProducerMessage
	if len(entries) == 1 {
		encoded = single(entries[0])
	} else {
		encoded = l.packer.pack(entries)
	}
	if slices.ContainsFunc(entries, isSteeringEntry) {
		m.group.partition.sign(encoded)
	}
	return encoded
}

// halve sends a message that the broker finds too large as two messages, unless Append has returned
// meanwhile. The client calls it, so it must not wait.
func (l *Log) halve(ctx context.Context, c *call, m *message, w *producer) bool {
	half := len(m.members) / 2
	halves := [2]*message{{m.group, m.members[:half]}, {m.group, m.members[half:]}}
	var encoded [2]*pulsar.ProducerMessage
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return false
	}
	for i := range halves {
		encoded[i] = l.encode(c, halves[i])
	}
	started := l.work(func() {
		for i := range halves {
			l.sendMessage(ctx, c, halves[i], encoded[i], w)
		}
	})
	if started {
		c.left += len(halves)
	}
	return started
}

// stored sets the positions of a message's entries in the receipts.
func (c *call) stored(m *message, id pulsar.MessageID) error {
	p, err := placeOf(id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n, i := range m.members {
		c.receipts[i].Position = p.at(len(m.members) - 1 - n)
	}
	return nil
}

func (c *call) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

func (c *call) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

// wait returns the receipts when every message is answered or ctx ends.
func (c *call) wait(ctx context.Context) ([]eventlog.Receipt, error) {
	select {
	case <-c.done:
		return c.receipts, errors.Join(c.errs...)
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.given = true
	receipts := append([]eventlog.Receipt(nil), c.receipts...)
	return receipts, errors.Join(append(c.errs, fmt.Errorf("append: %w", cause(ctx)))...)
}
