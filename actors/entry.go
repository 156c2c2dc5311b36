package actors

import (
	"container/heap"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// entry is what a shard knows of a dashboard that is awake or held open. Only the shard's actor
// accesses it. key and pid are exceptions, because they do not change while a message is in flight.
type entry struct {
	key  messages.Key
	pid  *actor.PID // nil: held open, without a record so far
	subs []*subscription

	report   report
	run      *run          // the dashboard's run in the batch being dispatched
	touched  time.Duration // when the dashboard was last used, since the host's start
	older    *entry        // neighbours in the order of idleness
	newer    *entry
	inflight int32   // messages to the actor that have not returned yet
	heapAt   int32   // index in the heap of deadlines + 1; 0: not in the heap
	due      int64   // key in the heap: no later than report.deadline
	waits    []int64 // log times that its windows wait for, as stored in the checkpoint
	dirty    bool    // has records that are in no checkpoint
	saving   bool    // is being written
	unborn   bool    // has no record yet, and therefore no actor
	busy     busy
}

// report is what a dashboard reports of itself after each message.
type report struct {
	program  *fold.Program
	version  uint64 // 0: no record yet
	time     int64
	deadline int64
	epoch    messages.Epoch
	mended   bool // its entry in the store is corrupt
	ahead    bool // it waits for what a viewer has seen elsewhere
}

// turn is the part of each message to a dashboard that returns to the shard, filled in, as the
// acknowledgement.
type turn struct {
	entry   *entry
	logTime int64 // shard's log time when the message was sent: deadlines up to it are applied first
	report  report
}

// to returns the dashboard that the message is for.
func (t *turn) to() *entry { return t.entry }

// idle lists the entries without viewers, the longest idle first.
type idle struct {
	oldest, newest *entry
	count          int
}

func (l *idle) push(e *entry) {
	e.older, e.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
	l.count++
}

func (l *idle) remove(e *entry) {
	if e.older == nil && e.newer == nil && l.oldest != e {
		return
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		l.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		l.newest = e.older
	}
	e.older, e.newer = nil, nil
	l.count--
}

// deadlines is a heap of the awake entries that wait for a log time, the earliest first. Nearly
// every record moves its dashboard's deadline on, so an entry keeps its place until it reaches the
// top.
type deadlines []*entry

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].due < d[j].due }
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].heapAt, d[j].heapAt = int32(i)+1, int32(j)+1
}

// Push implements heap.Interface.
func (d *deadlines) Push(x any) {
	e := x.(*entry)
	*d = append(*d, e)
	e.heapAt = int32(len(*d))
}

// Pop implements heap.Interface.
func (d *deadlines) Pop() any {
	old := *d
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	e.heapAt = 0
	return e
}

// place inserts the entry, moves it further to the front, or removes it, according to its deadline.
func (d *deadlines) place(e *entry) {
	wanted := e.pid != nil && e.report.version > 0 && e.report.deadline != core.NoDeadline
	switch {
	case wanted && e.heapAt == 0:
		e.due = e.report.deadline
		heap.Push(d, e)
	case wanted && e.report.deadline < e.due:
		e.due = e.report.deadline
		heap.Fix(d, int(e.heapAt-1))
	case !wanted && e.heapAt != 0:
		heap.Remove(d, int(e.heapAt-1))
	}
}

// first returns the entry with the earliest deadline; nil: no awake dashboard waits.
func (d deadlines) first() *entry {
	for len(d) > 0 {
		e := d[0]
		if e.due == e.report.deadline {
			return e
		}
		e.due = e.report.deadline
		heap.Fix(&d, 0)
	}
	return nil
}
