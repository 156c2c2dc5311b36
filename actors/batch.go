package actors

import (
	"bytes"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// batch is what a shard reads at once and a unit of its credit: there are Config.Batches of them
// and no more. It belongs to the reader until sent, then to the shard and the dashboards that fold
// its runs, and goes back to the reader when the last of them is done. Payloads lie in its arena:
// one copy of ~200 B a record, which frees the log's own buffers at once and lets reading and
// folding overlap.
type batch struct {
	items []item
	runs  []run // capacity len(items) before the first is taken: pointers to them travel
	arena []byte
	left  atomic.Int32 // runs not folded yet
}

// item is a record of the batch on its way to a dashboard.
type item struct {
	messages.Record
	at fold.At
	// the tenant's default at this record; for what needs it: a first record, a definition
	program *fold.Program
	next    int32 // of the same dashboard in this batch; -1: none
}

// run is the records of one dashboard in one batch: the message that its actor gets. The dashboard
// fills what lies below the line before it counts the batch down; the shard reads it after.
type run struct {
	turn
	batch *batch
	head  int32
	tail  int32

	folded int32 // records, without those that the dashboard had already
	panics int32
	nanos  int64
}

// fill copies the records, which are the log's own until its next read, into the batch.
func (b *batch) fill(records []messages.Record) {
	b.items, b.runs, b.arena = b.items[:0], b.runs[:0], b.arena[:0]
	size := 0
	for i := range records {
		r := &records[i]
		size += len(r.Payload) + len(r.Key.Tenant) + len(r.Key.Dashboard)
	}
	if cap(b.arena) < size {
		b.arena = make([]byte, 0, size)
	}
	for i := range records {
		r := records[i]
		if r.Kind == messages.KindDefinition {
			// Definitions are rare, and what is made of them is kept.
			r.Key = messages.Key{Tenant: strings.Clone(r.Key.Tenant), Dashboard: strings.Clone(r.Key.Dashboard)}
			r.Payload = bytes.Clone(r.Payload)
		} else {
			r.Key = messages.Key{Tenant: b.keepString(r.Key.Tenant), Dashboard: b.keepString(r.Key.Dashboard)}
			r.Payload = b.keep(r.Payload)
		}
		b.items = append(b.items, item{Record: r, next: -1})
	}
	if cap(b.runs) < len(b.items) {
		b.runs = make([]run, 0, len(b.items))
	}
}

// last is the position of the last record.
func (b *batch) last() messages.Position { return b.items[len(b.items)-1].Position }

// reuse readies the batch for the reader, and lets go of what a batch of large records has grown.
func (b *batch) reuse(maxArena int) *batch {
	if cap(b.arena) > maxArena {
		b.arena = nil
	}
	clear(b.items)
	clear(b.runs)
	return b
}

func (b *batch) keep(p []byte) []byte {
	start := len(b.arena)
	b.arena = append(b.arena, p...)
	return b.arena[start:len(b.arena):len(b.arena)]
}

// keepString is good as long as the batch: whoever keeps a key beyond clones it.
func (b *batch) keepString(s string) string {
	if s == "" {
		return ""
	}
	p := b.keep([]byte(s))
	return unsafe.String(&p[0], len(p))
}

// run appends item i to the dashboard's run, and tells whether it is the first.
func (b *batch) add(e *entry, i int32) (first bool) {
	if e.run == nil {
		b.runs = append(b.runs, run{turn: turn{entry: e}, batch: b, head: i, tail: i})
		e.run = &b.runs[len(b.runs)-1]
		return true
	}
	b.items[e.run.tail].next = i
	e.run.tail = i
	return false
}
