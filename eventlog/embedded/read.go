package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	maxReadBytes = 4 << 20 // most bytes that one Next returns, beyond its first record
	maxReadKeys  = 4096    // dashboards whose names a reader remembers
)

// reader holds no Pebble iterator between calls, so an idle reader keeps no file from being
// deleted.
type reader struct {
	l      *Log
	p      *partition
	after  uint64 // sequence of the last record returned
	oldest bool   // begin at the oldest record kept

	records []messages.Record
	slab    []byte
	seek    []byte // scratch for a key
	keys    map[string]messages.Key
	closed  chan struct{}
}

// Read opens a reader. It returns ErrAhead if the position is beyond the partition's last record:
// then it belongs to another log.
func (l *Log) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	p, err := l.partition(partition)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if _, last, _ := p.bounds(); after.Hi != 0 || after.Lo > last {
		return nil, fmt.Errorf("read partition %d: %w: position %s, the last record is at %d", partition, eventlog.ErrAhead, after, last)
	}
	return &reader{
		l: l, p: p, after: after.Lo, oldest: after.IsZero(),
		keys: map[string]messages.Key{}, closed: make(chan struct{}),
	}, nil
}

// Next returns at most limit records, and fewer if they exceed 4 MiB.
func (r *reader) Next(ctx context.Context, limit int) ([]messages.Record, error) {
	if limit < 1 {
		return nil, fmt.Errorf("read partition %d: limit %d is not allowed: 1 or more", r.p.number, limit)
	}
	for {
		floor, last, grown := r.p.bounds()
		if r.oldest {
			r.after = floor - 1
		}
		if r.after+1 < floor {
			return nil, r.trimmed(floor)
		}
		if r.after < last {
			return r.read(last, limit)
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-r.closed:
			return nil, eventlog.ErrClosed
		case <-r.l.life.Done():
			return nil, eventlog.ErrClosed
		}
	}
}

func (r *reader) trimmed(floor uint64) error {
	return fmt.Errorf("read partition %d: %w: position %d, the oldest kept is %d", r.p.number, eventlog.ErrTrimmed, r.after+1, floor)
}

// Close ends a Next that waits.
func (r *reader) Close() error {
	select {
	case <-r.closed:
	default:
		close(r.closed)
	}
	return nil
}

// read returns records from after + 1 to last. It returns an error only if no record precedes it.
func (r *reader) read(last uint64, limit int) ([]messages.Record, error) {
	r.l.reading.RLock()
	defer r.l.reading.RUnlock()
	if r.l.life.Err() != nil {
		return nil, eventlog.ErrClosed
	}
	clear(r.records)
	r.records, r.slab = r.records[:0], r.slab[:0]
	var err error
	if !r.gatherRecent(last, limit) {
		err = r.gather(last, limit)
	}
	if len(r.records) > 0 {
		r.after = r.records[len(r.records)-1].Position.Lo
		r.oldest = false
		return r.records, nil
	}
	if floor, _, _ := r.p.bounds(); r.after+1 < floor && !r.oldest {
		return nil, r.trimmed(floor)
	}
	if err == nil {
		err = errors.New("record missing")
	}
	var path *fs.PathError
	// the disk or the file descriptors fail, which may pass
	if errors.As(err, &path) && !pebble.IsCorruptionError(err) {
		return nil, fmt.Errorf("read partition %d: %w: position %d: %w", r.p.number, eventlog.ErrUnreachable, r.after+1, err)
	}
	return nil, fmt.Errorf("read partition %d: %w at position %d: %w", r.p.number, eventlog.ErrCorrupt, r.after+1, err)
}

// gatherRecent takes records from memory, and reports whether the first one was there.
func (r *reader) gatherRecent(last uint64, limit int) bool {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	for r.next() <= last && r.room(limit) {
		value, ok := r.p.recent.value(r.next())
		if !ok {
			break
		}
		r.add(value)
	}
	return len(r.records) > 0
}

// gather reads from chunk to chunk with one iterator, which sees the store as it is now.
func (r *reader) gather(last uint64, limit int) error {
	it, err := r.l.dir.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{generationSpace}, UpperBound: []byte{generationSpace + 1}})
	if err != nil {
		return err
	}
	for next := r.next(); next <= last && r.room(limit); next = r.next() {
		generation, end, ok := r.p.locate(next)
		if !ok {
			break
		}
		if err = r.gatherChunk(it, generation, min(end, last), limit); err != nil {
			break
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

func (r *reader) next() uint64 { return r.after + 1 + uint64(len(r.records)) }

func (r *reader) room(limit int) bool { return len(r.records) < limit && len(r.slab) < maxReadBytes }

func (r *reader) gatherChunk(it *pebble.Iterator, generation uint32, end uint64, limit int) error {
	r.seek = appendKey(r.seek[:0], generation, recordKind, r.p.number, r.next())
	for ok := it.SeekGE(r.seek); r.next() <= end && r.room(limit); ok = it.Next() {
		if !ok {
			return errors.New("record missing")
		}
		if err := r.take(it, generation); err != nil {
			return err
		}
	}
	return nil
}

// take adds the record under the iterator, which must follow the last one.
func (r *reader) take(it *pebble.Iterator, generation uint32) error {
	key := it.Key()
	r.seek = appendKey(r.seek[:0], generation, recordKind, r.p.number, r.next())
	if !bytes.Equal(key, r.seek) {
		return errors.New("record missing")
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	if err := checkRecord(key, value); err != nil {
		return err
	}
	r.add(value)
	return nil
}

// add adds the next record, which has that value.
func (r *reader) add(value []byte) {
	named := names(value)
	begin := len(r.slab)
	r.slab = append(r.slab, value[headBytes-2+len(named):]...)
	r.records = append(r.records, messages.Record{
		Position: messages.Position{Lo: r.next()},
		Append:   appendTimeOf(value),
		Kind:     messages.Kind(value[4]),
		Key:      r.key(named),
		Payload:  r.slab[begin:len(r.slab):len(r.slab)],
	})
}

// key avoids an allocation for every record of a recently seen dashboard.
func (r *reader) key(named []byte) messages.Key {
	k, ok := r.keys[string(named)]
	if !ok {
		if len(r.keys) >= maxReadKeys {
			clear(r.keys)
		}
		k = keyOf(named)
		r.keys[string(named)] = k
	}
	return k
}
