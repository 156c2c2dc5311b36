package pulsar

import (
	"context"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	maxReadRecords = 8192    // what a reader has ready at most, beyond one message's
	maxReadBytes   = 4 << 20 // of payloads likewise
)

// reader reads one partition. Its pump, a goroutine of the log's, takes entries from the broker and
// makes records of them while the records before are folded: two buffers, in turn.
type reader struct {
	l    *Log
	p    *partition
	life context.Context // ends with Close, and with the log
	end  context.CancelFunc
	done chan struct{} // the pump has ended

	mu      sync.Mutex
	filling []messages.Record
	size    int // payload bytes in filling
	// no record lies up to there behind those in filling; zero: they are all that is known
	passed  messages.Position
	err     error // why no more will come
	waiting bool  // the pump, for room

	ready chan struct{} // something came, or err is set
	room  chan struct{} // filling was taken

	giving, rest []messages.Record // Next's: a buffer, and what of it was not returned
}

// Read opens a reader of the partition. It starts at the position's own message, of which it needs
// the index, and returns what lies after. It asks the broker, for at most the configured timeout.
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
	ctx, cancel := context.WithTimeoutCause(l.life, l.config.Timeout, errPatience)
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

// Next returns what is ready, at most limit records.
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

// take swaps the buffers. Behind the pump's last record comes how far the log was looked at, or the
// pump's error.
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

// Close ends a Next that waits, and returns when the pump has ended.
func (r *reader) Close() error {
	r.end()
	<-r.done
	return nil
}

// pump moves records from the broker to Next until it errs or the reader is closed.
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

// pass notes that the log has no record up to there behind those that were put.
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

// put decodes an entry's messages into the buffer, and waits while that is full.
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
