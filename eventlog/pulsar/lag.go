package pulsar

import (
	"context"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// Lag implements eventlog.Lag from the broker's indices of two messages. It reads the entry of
// each, which takes some milliseconds. A packed message counts once, however many records it holds.
func (l *Log) Lag(ctx context.Context, partition int, after messages.Position) (uint64, error) {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return 0, fmt.Errorf("lag: %w", err)
	}
	if l.life.Err() != nil {
		return 0, eventlog.ErrClosed
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	n, err := l.lag(ctx, p, after)
	if err != nil {
		return 0, fmt.Errorf("lag of partition %d after %s: %w", partition, after, err)
	}
	return n, nil
}

func (l *Log) lag(ctx context.Context, p *partition, after messages.Position) (uint64, error) {
	last, err := l.last(ctx, p)
	if err != nil || !last.After(after) {
		return 0, err
	}
	newest, err := l.indexAt(ctx, p, last)
	if err != nil {
		return 0, err
	}
	index, err := l.indexAt(ctx, p, after)
	if err != nil {
		return 0, err
	}
	if after.IsZero() {
		index--
	}
	// a producer can announce fewer messages than none, which decreases the broker's index
	return uint64(max(0, int64(newest-index))), nil
}

// indexAt returns the broker's index of the message at the position; of the oldest message kept if
// the position is zero.
func (l *Log) indexAt(ctx context.Context, p *partition, at messages.Position) (uint64, error) {
	wanted := place{ledger: -1}
	if !at.IsZero() {
		wanted = placeAt(at)
	}
	from, err := l.enter(ctx, p, wanted.ledger, wanted.entry)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	e, err := from.Next(ctx)
	if err != nil {
		return 0, unreachable(err)
	}
	here := place{e.Ledger, e.Entry, wanted.batch}
	if !at.IsZero() && here != wanted {
		return 0, fmt.Errorf("%w: the record at %s is gone, the next one kept is at %s", eventlog.ErrTrimmed, at, here.last())
	}
	if e.Index == nil {
		return 0, fmt.Errorf("%w: the record at %s of %s has no index", eventlog.ErrUnstamped, here.last(), p.topic)
	}
	return *e.Index - uint64(max(0, e.Count()-1-int64(wanted.batch))), nil
}
