package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// MaxCallBytes bounds the payloads of one Append together.
const MaxCallBytes = 64 << 20

// call is one Append in progress.
type call struct {
	entries  []eventlog.Entry
	receipts []eventlog.Receipt
	refused  map[int]error // by partition; nothing of these partitions is stored
	bytes    int64
	weight   struct{ bytes, entries int64 }

	abandoned bool // its caller has left; guarded by Log.taking
	taken     bool // the committer has it; guarded by Log.taking

	err  error // set before done closes
	done chan struct{}
}

// Append stores the entries of one call in one atomic group, whatever their partitions. If ctx ends
// while they wait in the queue, nothing is stored; if it ends while they are being written, the
// error is ErrUnreachable.
func (l *Log) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	c, err := l.route(entries)
	if err != nil {
		return nil, err
	}
	refused := c.refusals()
	if c.weight.entries == 0 {
		return c.receipts, refused
	}
	if err := l.wait(ctx, c); err != nil {
		return c.receipts, errors.Join(refused, err)
	}
	for i := range c.receipts {
		if c.refused[c.receipts[i].Partition] != nil {
			c.receipts[i].Position = messages.Position{}
		}
	}
	return c.receipts, refused
}

// wait queues the call and waits for its result.
func (l *Log) wait(ctx context.Context, c *call) error {
	if err := l.dir.Stalled(); err != nil { // the committer takes no calls
		c.receipts = unstored(c.receipts)
		return fmt.Errorf("append: nothing stored: %w", err)
	}
	if err := l.enter(ctx, c); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.result()
	case <-ctx.Done():
	}
	l.taking.Lock()
	taken := c.taken
	c.abandoned = !taken
	l.taking.Unlock()
	if !taken {
		c.receipts = unstored(c.receipts)
		return fmt.Errorf("append: nothing stored: %w", context.Cause(ctx))
	}
	select {
	case <-c.done:
		return c.result()
	default:
		// The committer still writes to this slice of receipts: return another one.
		c.receipts = unstored(c.receipts)
		return fmt.Errorf("append: %w: %w", eventlog.ErrUnreachable, context.Cause(ctx))
	}
}

func (c *call) result() error {
	if c.err != nil {
		c.receipts = unstored(c.receipts)
	}
	return c.err
}

func unstored(receipts []eventlog.Receipt) []eventlog.Receipt {
	bare := make([]eventlog.Receipt, len(receipts))
	for i := range receipts {
		bare[i].Partition = receipts[i].Partition
	}
	return bare
}

// route finds every entry's partition, and the entries that can't be stored.
func (l *Log) route(entries []eventlog.Entry) (*call, error) {
	c := &call{entries: entries, receipts: make([]eventlog.Receipt, len(entries)), done: make(chan struct{})}
	for i := range entries {
		e := &entries[i]
		p := e.Partition
		if e.Key.Dashboard != "" {
			p = eventlog.PartitionOf(e.Key.Dashboard, len(l.partitions))
		}
		if p < 0 || p >= len(l.partitions) {
			return nil, fmt.Errorf("append: entry %d: partition %d is not allowed: 0 to %d", i, p, len(l.partitions)-1)
		}
		c.receipts[i].Partition = p
		if err := check(e); err != nil {
			c.refuse(p, fmt.Errorf("append: partition %d: entry %d: %w", p, i, err))
		}
		c.bytes += int64(len(e.Payload))
	}
	if c.bytes > MaxCallBytes {
		return nil, fmt.Errorf("append: %w: %d bytes in one call, at most %d", eventlog.ErrTooLarge, c.bytes, int64(MaxCallBytes))
	}
	c.weigh(l.config.Queue)
	return c, nil
}

func check(e *eventlog.Entry) error {
	switch {
	case len(e.Payload) > eventlog.MaxRecordBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", eventlog.ErrTooLarge, len(e.Payload), eventlog.MaxRecordBytes)
	case len(e.Key.Tenant) > maxNameBytes || len(e.Key.Dashboard) > maxNameBytes:
		return fmt.Errorf("%w: a name of more than %d bytes", eventlog.ErrTooLarge, maxNameBytes)
	case e.Kind < messages.KindEvent || e.Kind > messages.KindTick:
		return fmt.Errorf("%w: kind %d is not allowed: event, definition or tick", eventlog.ErrRefused, e.Kind)
	}
	return nil
}

// refuse keeps the first reason for a partition: its entries are stored together or not at all.
func (c *call) refuse(partition int, err error) {
	if c.refused == nil {
		c.refused = map[int]error{}
	}
	if c.refused[partition] == nil {
		c.refused[partition] = err
	}
}

func (c *call) refusals() error {
	var errs []error
	for i, r := range c.receipts {
		if err := c.refused[r.Partition]; err != nil && first(c.receipts[:i], r.Partition) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func first(before []eventlog.Receipt, partition int) bool {
	for _, r := range before {
		if r.Partition == partition {
			return false
		}
	}
	return true
}

// weigh returns what the call takes of the queue's bounds. A call larger than the queue goes alone.
func (c *call) weigh(q Queue) {
	for i := range c.entries {
		if c.refused[c.receipts[i].Partition] == nil {
			c.weight.entries++
		}
	}
	c.weight.entries = min(c.weight.entries, int64(q.Entries))
	c.weight.bytes = min(c.bytes, q.Bytes)
}
