package actors

import (
	"bytes"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// batch holds the records of one read and is the unit of a shard's credit: a shard has exactly
// Config.Batches of them. A batch belongs to the reader until it is sent, then to the shard and to
// the dashboards that fold its runs. It returns to the reader when the last run is folded. Its
// arena holds copies of the payloads, about 200 B a record. The copy frees the log's buffers at
// once and lets reading and folding overlap.
type batch struct {
	items []item
	runs  []run // its capacity is len(items) from the start: pointers into it are passed on
	arena []byte
	left  atomic.Int32 // number of runs not folded yet
}

// item is a record of the batch on its way to a dashboard.
type item struct {
	messages.Record
	at fold.At
	// the tenant's default definition at this record; set for records that need it: first records
	// and definitions
	program *fold.Program
	next    int32 // index of the dashboard's next record in this batch; -1: none
}

// run holds the records of one dashboard in one batch. It is the message that the dashboard's actor
// receives. The dashboard fills the fields from folded on before it counts the batch down. The
// shard reads them afterwards.
type run struct {
	turn
	batch *batch
	head  int32
	tail  int32

	folded int32 // number of records folded, without those that the dashboard had already
	panics int32
	nanos  int64
}

// fill copies the records into the batch. The log reuses its own records at its next read.
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
			// Definitions are rare, and the program compiled from one outlives the batch.
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

// last returns the position of the last record.
func (b *batch) last() messages.Position { return b.items[len(b.items)-1].Position }

// reuse prepares the batch for the reader. It frees an arena that large records made larger than
// maxArena.
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

// keepString returns a copy that is valid as long as the batch. Whoever keeps a key longer clones
// it.
func (b *batch) keepString(s string) string {
	if s == "" {
		return ""
	}
	p := b.keep([]byte(s))
	return unsafe.String(&p[0], len(p))
}

// add appends item i to the dashboard's run, and reports whether it is the run's first item.
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
