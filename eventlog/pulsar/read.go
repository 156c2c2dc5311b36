package pulsar

import (
	"context"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	maxReadRecords = 8192    // records that a reader has ready, apart from the rest of one message
	maxReadBytes   = 4 << 20 // bytes of their payloads
)

// reader reads one partition. Its pump, a goroutine of the log's, decodes entries from the broker
// into one buffer while the caller folds the records of the other.
type reader struct {
	l    *Log
	p    *partition
	life context.Context // ends with Close, and with the log
	end  context.CancelFunc
	done chan struct{} // closed when the pump has ended

	mu      sync.Mutex
	filling []messages.Record
	size    int // payload bytes in filling
	// up to this position no more records follow those in filling; zero: not known
	passed  messages.Position
	err     error // why no more records will come
	waiting bool  // the pump waits for room

	ready chan struct{} // something came, or err is set
	room  chan struct{} // filling was taken

	giving, rest []messages.Record // of Next: a buffer, and the part of it that was not returned yet
}

// Read opens a reader of the partition. It begins at the position's own message, because it needs
// that message's index, and returns what follows. It asks the broker, for at most the configured
// timeout.
func (l *Log) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r, err := l.read(p, after, false)
	if err != nil {
		return nil, fmt.Errorf("read partition %d: %w", partition, err)
	}
	return r, nil
}

// ReadRemnant implements eventlog.Remnant.
func (l *Log) ReadRemnant(partition int) (eventlog.Reader, error) {
	p, err := l.table.Load().shard(partition)
	if err != nil {
		return nil, fmt.Errorf("read the remnant: %w", err)
	}
	r, err := l.read(p, messages.Position{}, true)
	if err != nil {
		return nil, fmt.Errorf("read the remnant of partition %d: %w", partition, err)
	}
	return r, nil
}

func (l *Log) read(p *partition, after messages.Position, remnant bool) (*reader, error) {
	if l.life.Err() != nil {
		return nil, eventlog.ErrClosed
	}
	if err := p.stop.err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(l.life, l.config.Timeout, errTimeout)
	defer cancel()
	if !after.IsZero() {
		last, err := l.last(ctx, p)
		if err != nil {
			return nil, err
		}
		if after.After(last) {
			return nil, fmt.Errorf("%w: position %s, the last record is at %s", eventlog.ErrAhead, after, last)
		}
	}
	c := newChecker(l, p, after)
	c.remnant = remnant
	if err := c.open(ctx); err != nil {
		c.close()
		return nil, err
	}
	r := &reader{l: l, p: p, done: make(chan struct{}), ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	r.life, r.end = context.WithCancel(l.life)
	if !l.work(func() { r.pump(c) }) {
		c.close()
		r.end()
		return nil, eventlog.ErrClosed
	}
	return r, nil
}

// Next returns the records that are ready, at most limit.
func (r *reader) Next(ctx context.Context, limit int) ([]messages.Record, error) {
	for {
		records, _, err := r.NextOrPassed(ctx, limit)
		if len(records) > 0 || err != nil {
			return records, err
		}
	}
}

// NextOrPassed implements eventlog.Passer.
func (r *reader) NextOrPassed(ctx context.Context, limit int) (records []messages.Record, passed messages.Position, err error) {
	if limit < 1 {
		return nil, passed, fmt.Errorf("read partition %d: limit %d is not allowed: 1 or more", r.p.shard, limit)
	}
	for {
		if err := r.life.Err(); err != nil {
			return nil, passed, eventlog.ErrClosed
		}
		if err := r.p.stop.err(); err != nil {
			return nil, passed, fmt.Errorf("read partition %d: %w", r.p.shard, err)
		}
		if len(r.rest) == 0 {
			if passed, err = r.take(); err != nil {
				return nil, passed, fmt.Errorf("read partition %d: %w", r.p.shard, err)
			}
		}
		if n := min(limit, len(r.rest)); n > 0 {
			records := r.rest[:n:n]
			r.rest = r.rest[n:]
			r.l.metrics.readRecords.Add(float64(n))
			return records, passed, nil
		}
		if !passed.IsZero() {
			return nil, passed, nil
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, passed, context.Cause(ctx)
		case <-r.life.Done():
		}
	}
}

// take swaps the buffers. If the pump's buffer is empty, it returns how far the log was searched,
// or the pump's error.
func (r *reader) take() (passed messages.Position, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.filling) == 0 {
		passed, r.passed = r.passed, messages.Position{}
		if passed.IsZero() {
			err = r.err
		}
		return passed, err
	}
	clear(r.giving)
	r.giving, r.filling = r.filling, r.giving[:0]
	r.rest = r.giving
	r.size = 0
	if r.waiting {
		r.waiting = false
		r.room <- struct{}{}
	}
	return passed, nil
}

// Close ends a Next that waits, and joins the pump.
func (r *reader) Close() error {
	r.end()
	<-r.done
	return nil
}

// pump moves records from the broker to Next until an error comes or the reader is closed.
func (r *reader) pump(c *checker) {
	defer close(r.done)
	defer r.end()
	defer c.close()
	var verdicts []verdict
	for {
		all, err := c.next(r.life)
		if len(all) == 0 && err == nil {
			r.pass(c.passed)
			continue
		}
		if err == nil {
			if verdicts, err = c.decoder.verifyAll(r.life, verdicts[:0], all); err == nil {
				err = r.put(c, all, verdicts)
			}
		}
		if r.life.Err() != nil {
			return
		}
		if err != nil {
			r.fail(err)
			<-r.life.Done()
			return
		}
	}
}

// pass notes that no more records follow up to that position.
func (r *reader) pass(upTo messages.Position) {
	r.mu.Lock()
	r.passed = upTo
	r.mu.Unlock()
	r.signal()
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	r.err = err
	r.mu.Unlock()
	r.signal()
}

func (r *reader) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// put decodes an entry's messages into the buffer. It waits while the buffer is full.
func (r *reader) put(c *checker, all []received, verdicts []verdict) (err error) {
	for len(all) > 0 && err == nil {
		n := 0
		r.mu.Lock()
		begin := len(r.filling)
		r.passed = messages.Position{}
		for n < len(all) && err == nil && !r.full() {
			r.filling, err = c.decoder.records(r.filling, all[n], verdicts[n], c.after)
			r.size += len(all[n].Payload)
			n++
		}
		full := r.full()
		r.waiting = full
		r.mu.Unlock()
		if begin == 0 || err != nil {
			r.signal()
		}
		if all, verdicts = all[n:], verdicts[n:]; !full || err != nil {
			continue
		}
		select {
		case <-r.room:
		case <-r.life.Done():
			return r.life.Err()
		}
	}
	return err
}

func (r *reader) full() bool { return len(r.filling) >= maxReadRecords || r.size >= maxReadBytes }
