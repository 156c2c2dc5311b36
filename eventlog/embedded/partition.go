package embedded

import "sync"

// partition is what the log knows of one partition. The committer alone moves last; retention alone moves floor.
type partition struct {
	number int
	tail   tail // the committer's; others read last under mu

	mu       sync.Mutex
	last     uint64        // sequence of the newest durable record; 0: none yet
	floor    uint64        // of the oldest record kept, or last + 1
	released uint64        // up to here records may be dropped
	newest   int64         // append time of the newest record, ms
	written  int64         // bytes of records up to last, counted as chunks count them
	chunks   []chunk       // oldest first; the newest is still growing
	grown    chan struct{} // closed, and made anew, when last moves
}

// chunk is a run of records that retention keeps or drops as a whole. It ends where the next begins.
type chunk struct {
	first  uint64 // sequence
	time   int64  // append time of the first record, ms
	before int64  // bytes of the partition before it
}

// chunkBytes is about how much one chunk holds: 1 GiB of log makes 4,096 of them, 24 bytes each.
const chunkBytes = 256 << 10

// tail is where a partition's next record goes.
type tail struct {
	last    uint64
	written int64
	chunkAt int64 // written at the beginning of the newest chunk; -1: the next record begins one
}

// publish makes a group's records seen.
func (p *partition) publish(t tail, fresh []chunk, appendTime int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunks = append(p.chunks, fresh...)
	if len(p.chunks) == 0 {
		t.chunkAt = -1 // retention dropped the growing chunk meanwhile
	}
	p.tail = t
	p.last, p.newest, p.written = t.last, appendTime, t.written
	close(p.grown)
	p.grown = make(chan struct{})
}

// bounds are the first and the last record that can be read, and a channel that closes when there are more.
func (p *partition) bounds() (floor, last uint64, grown <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.floor, p.last, p.grown
}
