package embedded

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/dashfeed/dashfeed/eventlog"
)

// partition is what the log knows of one partition. Only the committer changes last, only retention
// changes floor; both hold Log.storing meanwhile.
type partition struct {
	number int
	tail   tail // guarded by Log.storing

	mu       sync.Mutex
	last     uint64  // sequence of the newest durable record; 0: none yet
	floor    uint64  // sequence of the oldest record kept, or last + 1
	released uint64  // records up to here may be dropped
	newest   int64   // append time of the newest record, ms
	written  int64   // bytes of records up to last, counted as chunks count them
	chunks   []chunk // oldest first; the newest is still growing
	recent   recent
	grown    chan struct{} // closed and replaced when last changes
}

// chunk is a run of a partition's records in one generation. Retention keeps or drops a whole
// chunk. It ends where the next one begins.
type chunk struct {
	first      uint64 // sequence
	time       int64  // append time of the first record, ms
	before     int64  // bytes of the partition before this chunk
	generation uint32
}

const chunkValueBytes = 4 + 8 + 8 // checksum, time, before

func (c chunk) value(key []byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 4, chunkValueBytes), uint64(c.time))
	b = binary.BigEndian.AppendUint64(b, uint64(c.before))
	binary.BigEndian.PutUint32(b, checksum(key, b[4:]))
	return b
}

func decodeChunk(key, value []byte) (chunk, error) {
	if len(value) != chunkValueBytes || binary.BigEndian.Uint32(value) != checksum(key, value[4:]) {
		return chunk{}, fmt.Errorf("%w: chunk at position %d", eventlog.ErrCorrupt, sequenceOf(key))
	}
	return chunk{
		first:  sequenceOf(key),
		time:   int64(binary.BigEndian.Uint64(value[4:])),
		before: int64(binary.BigEndian.Uint64(value[12:])),
	}, nil
}

// tail is where a partition's next record goes.
type tail struct {
	last       uint64
	written    int64
	generation uint32 // of the newest chunk; 0: the next record begins a chunk
}

// publish makes a group's records visible to readers.
func (p *partition) publish(t tail, fresh []chunk, appendTime int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunks = append(p.chunks, fresh...)
	p.tail = t
	p.recent.publish(t.last)
	p.last, p.newest, p.written = t.last, appendTime, t.written
	close(p.grown)
	p.grown = make(chan struct{})
}

// bounds returns the first and the last readable record, and a channel that closes when there are
// more.
func (p *partition) bounds() (floor, last uint64, grown <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.floor, p.last, p.grown
}

// locate returns the chunk with the record at sequence, and the last record in it so far.
func (p *partition) locate(sequence uint64) (generation uint32, end uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, exact := slices.BinarySearchFunc(p.chunks, sequence, func(c chunk, s uint64) int { return cmp.Compare(c.first, s) })
	if !exact {
		i--
	}
	if i < 0 {
		return 0, 0, false
	}
	return p.chunks[i].generation, p.end(i), true
}
