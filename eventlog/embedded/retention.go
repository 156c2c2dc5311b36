package embedded

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// Release never goes back; a position beyond the last record counts as the last one.
func (l *Log) Release(partition int, upTo messages.Position) error {
	p, err := l.partition(partition)
	if err != nil {
		return fmt.Errorf("release: %w", err)
	}
	if upTo.Hi != 0 {
		return fmt.Errorf("release partition %d: %w: position %s", partition, eventlog.ErrAhead, upTo)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = max(p.released, min(upTo.Lo, p.last))
	return nil
}

func (l *Log) retainLoop() {
	tick := time.NewTicker(l.config.Retention.Every)
	defer tick.Stop()
	for {
		select {
		case <-l.life.Done():
			return
		case <-tick.C:
		}
		l.dir.RestoreBallast()
		if errors.Is(l.dir.Err(), eventlog.ErrUnwritable) {
			continue // Log.Err reports it
		}
		if err := l.retain(); err != nil {
			l.dir.Logger.Error("retention", "err", err)
		}
	}
}

// retain drops records that are too old, then the oldest chunks until the size fits.
func (l *Log) retain() error {
	if age := l.config.Retention.Age; age > 0 {
		before := l.config.Now().Add(-age).UnixMilli()
		for _, p := range l.partitions {
			if err := l.trim(p, p.expired(before)); err != nil {
				return err
			}
		}
	}
	if limit := l.config.Retention.Bytes; limit > 0 {
		return l.retainBytes(limit)
	}
	return nil
}

func (l *Log) retainBytes(limit int64) error {
	var total int64
	for _, p := range l.partitions {
		total += p.kept()
	}
	l.storing.Lock()
	growing := l.generation.number
	l.storing.Unlock()
	for total > limit {
		var oldest *partition
		var found dropped
		for _, p := range l.partitions {
			if d, ok := p.oldest(growing); ok && (oldest == nil || d.time < found.time) {
				oldest, found = p, d
			}
		}
		if oldest == nil {
			return nil // all other chunks are unreleased or growing
		}
		if err := l.trim(oldest, found.upTo); err != nil {
			return err
		}
		total -= found.bytes
	}
	return nil
}

// dropped is a chunk that may be dropped.
type dropped struct {
	upTo  uint64
	time  int64
	bytes int64
}

// kept returns how many bytes of records the partition holds.
func (p *partition) kept() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) == 0 {
		return 0
	}
	return p.written - p.chunks[0].before
}

// oldest returns the first chunk, if it is released and not of the growing generation.
func (p *partition) oldest(growing uint32) (dropped, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.chunks) == 0 || p.chunks[0].generation == growing || p.end(0) > p.released {
		return dropped{}, false
	}
	bytes := p.written - p.chunks[0].before
	if len(p.chunks) > 1 {
		bytes = p.chunks[1].before - p.chunks[0].before
	}
	return dropped{upTo: p.end(0), time: p.chunks[0].time, bytes: bytes}, true
}

// expired returns the end of the last released chunk whose records are all older than before, a
// time in ms; 0: none. The growing chunk ends at the last record.
func (p *partition) expired(before int64) (upTo uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.chunks {
		end, newest := p.end(i), p.newest
		if i+1 < len(p.chunks) {
			newest = p.chunks[i+1].time
		}
		if newest >= before || end > p.released {
			break
		}
		upTo = end
	}
	return upTo
}

// trim drops a partition's records up to a position that ends a chunk. It need not sync: if a crash
// undoes it, the records are dropped again.
func (l *Log) trim(p *partition, upTo uint64) error {
	l.storing.Lock()
	defer l.storing.Unlock()
	gone, floor := p.forget(upTo)
	if len(gone) == 0 {
		return nil
	}
	b := l.dir.DB.NewBatch()
	for _, c := range gone {
		begin := appendKey(nil, c.generation, recordKind, p.number, 0)
		end := appendKey(nil, c.generation, recordKind, p.number, math.MaxUint64)
		if err := errors.Join(b.DeleteRange(begin, end, nil), b.Delete(appendKey(nil, c.generation, chunkKind, p.number, c.first), nil)); err != nil {
			return errors.Join(fmt.Errorf("trim partition %d: %w", p.number, err), b.Close())
		}
	}
	if err := b.Set(floorKey(p.number), floor, nil); err != nil {
		return errors.Join(fmt.Errorf("trim partition %d: %w", p.number, err), b.Close())
	}
	if err := l.dir.Commit(b, pebble.NoSync); err != nil {
		return l.fail(fmt.Errorf("trim partition %d: %w", p.number, err))
	}
	return nil
}

// forget removes the chunks up to a position from the list, which hides their records, and returns
// the floor to store. If an append has meanwhile made the growing chunk longer than upTo, that
// chunk stays.
func (p *partition) forget(upTo uint64) (gone []chunk, floor []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for n < len(p.chunks) && p.end(n) <= upTo {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	gone = slices.Clone(p.chunks[:n])
	p.floor = p.end(n-1) + 1
	p.chunks = slices.Clone(p.chunks[n:])
	if len(p.chunks) == 0 {
		p.tail.generation = 0
	}
	return gone, floorValue(p.floor-1, p.newest)
}

// end returns the last record of chunk n; the caller holds p.mu.
func (p *partition) end(n int) uint64 {
	if n+1 < len(p.chunks) {
		return p.chunks[n+1].first - 1
	}
	return p.last
}
