package embedded

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// groupBytes is about the most that one group takes from the queue: large enough that a thousand
// records share the fsync, and well below half a memtable, above which Pebble flushes every batch
// by itself.
const groupBytes = 256 << 10

// group is the set of records that one fsync makes durable.
type group struct {
	calls []*call
	batch *pebble.Batch
	tails map[int]*growth // by partition
	time  int64           // append time of all its records, ms

	generation uint32
}

// generation increases with the bytes appended to all partitions together.
type generation struct {
	number uint32
	bytes  int
	limit  int
}

// minChunkBytes keeps chunks from becoming tiny with many partitions.
const minChunkBytes = 64 << 10

// newGeneration sizes generations to about one memtable, so that two flushed files overlap little.
func newGeneration(newest uint32, partitions int, memTableBytes int64) generation {
	return generation{number: newest + 1, limit: max(int(memTableBytes), partitions*minChunkBytes)}
}

func (g *generation) grow(bytes int) {
	if g.bytes += bytes; g.bytes >= g.limit {
		g.number++
		g.bytes = 0
	}
}

// growth is what a group adds to one partition.
type growth struct {
	tail   tail
	chunks []chunk
}

// commitLoop runs until the queue is closed and empty.
func (l *Log) commitLoop() {
	var p pace
	for first := range l.queue.calls {
		g := &group{calls: []*call{first}}
		bytes := l.gather(g, first.bytes)
		if wait := p.wait(time.Now(), len(g.calls), bytes); wait > 0 {
			time.Sleep(wait)
			l.gather(g, bytes)
		}
		p.begin(time.Now(), len(g.calls))
		err := l.commit(g)
		for _, c := range g.calls {
			c.err = err
			close(c.done)
			l.queue.release(c)
		}
	}
}

// gather adds queued calls to a group that has that many bytes, and returns the group's bytes.
func (l *Log) gather(g *group, bytes int64) int64 {
	for bytes < groupBytes {
		c, ok := l.queue.next()
		if !ok {
			break
		}
		g.calls = append(g.calls, c)
		bytes += c.bytes
	}
	return bytes
}

func (q *queue) next() (c *call, ok bool) {
	select {
	case c, ok = <-q.calls:
		return c, ok
	default:
		return nil, false
	}
}

// commit stores the group. After a failed write the state on disk is unknown: the log accepts
// nothing more.
func (l *Log) commit(g *group) error {
	if err := l.Err(); err != nil {
		return err
	}
	l.storing.Lock()
	defer l.storing.Unlock()
	g.generation = l.generation.number
	g.batch = l.dir.DB.NewBatch()
	g.tails = map[int]*growth{}
	g.time = max(l.config.Now().UnixMilli(), l.lastAppend)
	if err := l.take(g); err != nil {
		return errors.Join(l.fail(err), g.batch.Close())
	}
	if len(g.tails) == 0 {
		return g.batch.Close()
	}
	bytes := g.batch.Len()
	if err := l.dir.Commit(g.batch, pebble.Sync); err != nil {
		return fmt.Errorf("append: %w: %w", eventlog.ErrUnreachable, l.fail(err))
	}
	for n, grown := range g.tails {
		l.acknowledged += grown.tail.last - l.partitions[n].tail.last
	}
	if err := l.mark.Set(l.acknowledged); err != nil { // before any caller gets its answer
		return fmt.Errorf("append: %w: %w", eventlog.ErrUnreachable, l.fail(err))
	}
	l.lastAppend = g.time
	l.generation.grow(bytes)
	for n, grown := range g.tails {
		l.partitions[n].publish(grown.tail, grown.chunks, g.time)
	}
	return nil
}

// take encodes the calls that were not abandoned. While it holds taking, no caller can return and
// reuse payloads that take reads.
func (l *Log) take(g *group) error {
	l.taking.Lock()
	defer l.taking.Unlock()
	for _, c := range g.calls {
		if c.abandoned {
			continue
		}
		c.taken = true
		for i := range c.entries {
			r := &c.receipts[i]
			if c.refused[r.Partition] != nil {
				continue
			}
			sequence, err := g.put(l.partitions[r.Partition], &c.entries[i])
			if err != nil {
				return err
			}
			r.Position = messages.Position{Lo: sequence}
		}
	}
	return nil
}

// put adds one record to the batch, and before it the beginning of a chunk if the generation has
// changed.
func (g *group) put(p *partition, e *eventlog.Entry) (sequence uint64, err error) {
	grown := g.tails[p.number]
	if grown == nil {
		grown = &growth{tail: p.tail}
		g.tails[p.number] = grown
	}
	t := &grown.tail
	sequence = t.last + 1
	if t.generation != g.generation {
		c := chunk{first: sequence, time: g.time, before: t.written, generation: g.generation}
		key := appendKey(nil, g.generation, chunkKind, p.number, sequence)
		if err := g.batch.Set(key, c.value(key), nil); err != nil {
			return 0, fmt.Errorf("append: partition %d: %w", p.number, err)
		}
		grown.chunks = append(grown.chunks, c)
		t.generation = g.generation
	}
	op := g.batch.SetDeferred(keyBytes, recordBytes(e))
	appendKey(op.Key[:0], g.generation, recordKind, p.number, sequence)
	putRecord(op.Key, op.Value, e, g.time)
	p.recent.add(op.Value)
	if err := op.Finish(); err != nil {
		return 0, fmt.Errorf("append: partition %d: %w", p.number, err)
	}
	t.last = sequence
	t.written += int64(keyBytes + len(op.Value))
	return sequence, nil
}
