package embedded

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"

	"github.com/dashfeed/dashfeed/eventlog"
)

// queue holds the calls that wait for the committer. Its two semaphores bound it; the channel has
// room for all calls that they admit, so a send never blocks.
type queue struct {
	bytes   *semaphore.Weighted
	entries *semaphore.Weighted
	calls   chan *call
}

func newQueue(q Queue) queue {
	return queue{
		bytes:   semaphore.NewWeighted(q.Bytes),
		entries: semaphore.NewWeighted(int64(q.Entries)),
		calls:   make(chan *call, q.Entries),
	}
}

// enter waits for room in the queue until ctx ends or the log closes.
func (l *Log) enter(ctx context.Context, c *call) error {
	if !l.queue.tryAcquire(c) {
		ctx, cancel := context.WithCancelCause(ctx)
		stop := context.AfterFunc(l.life, func() { cancel(eventlog.ErrClosed) })
		err := l.queue.acquire(ctx, c)
		cause := context.Cause(ctx)
		stop()
		cancel(nil)
		if err != nil {
			return fmt.Errorf("append: queue full, nothing stored: %w", cause)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.queue.release(c)
		return eventlog.ErrClosed
	}
	l.queue.calls <- c
	return nil
}

func (q *queue) tryAcquire(c *call) bool {
	if !q.entries.TryAcquire(c.weight.entries) {
		return false
	}
	if !q.bytes.TryAcquire(c.weight.bytes) {
		q.entries.Release(c.weight.entries)
		return false
	}
	return true
}

func (q *queue) acquire(ctx context.Context, c *call) error {
	if err := q.entries.Acquire(ctx, c.weight.entries); err != nil {
		return err
	}
	if err := q.bytes.Acquire(ctx, c.weight.bytes); err != nil {
		q.entries.Release(c.weight.entries)
		return err
	}
	return nil
}

func (q *queue) release(c *call) {
	q.entries.Release(c.weight.entries)
	q.bytes.Release(c.weight.bytes)
}
