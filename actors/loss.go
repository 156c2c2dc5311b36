package actors

import (
	"fmt"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// loss is what is known and decided about records that the log of a shard has lost. The assignment
// keeps it from one of its shards to the next, the shard is loaded with it, and the reader takes it
// on until records follow one another again. It does no I/O.
type loss struct {
	state lossState
	at    messages.Position // lossReloaded: how far the reader had come
	span  crashes.Span      // lossSkipped, lossSkipping: these records
}

// lossState is one state of a loss. An operator decides on the accepted ones.
type lossState int

const (
	// lossNone: no record is missing. Where one is found to be, the shard is loaded again.
	lossNone lossState = iota
	// lossReloaded: the shard was loaded again because records are missing. Where they still are,
	// it fails.
	lossReloaded
	// lossAccepted: records that are missing right behind the checkpoint are accepted as lost.
	lossAccepted
	// lossRewound: the log was set back behind the checkpoint, and that is accepted. What this host
	// alone has of the shard is dropped, and a new epoch begins whatever comes next.
	lossRewound
	// lossSkipped: the records of the span end the process and are accepted as lost. They are not
	// reached yet.
	lossSkipped
	// lossSkipping: the reader stands before that span and reads on behind it.
	lossSkipping
	// lossFound: the accepted loss is there, as the log says. The next record ends the hole.
	lossFound
)

// reload reports whether a shard is loaded again whose reader stands at a position behind which
// records are missing: the first time, and whenever it has come further since.
func (l *loss) reload(at messages.Position) bool {
	if l.state == lossReloaded && !at.After(l.at) {
		return false
	}
	*l = loss{state: lossReloaded, at: at}
	return true
}

// retry has the next shard loaded as if nothing were missing, unless a loss is accepted.
func (l *loss) retry() {
	if l.state == lossReloaded {
		*l = loss{}
	}
}

// take is what the next shard is loaded with: a decision counts for one load.
func (l *loss) take() (next loss) {
	if l.state != lossReloaded {
		next, *l = *l, loss{}
	}
	return next
}

// reopen is called before the log is opened again behind the same position: the log has to say anew
// what is missing.
func (l *loss) reopen() {
	if l.state == lossFound {
		l.state = lossAccepted
	}
}

// find is called when the log says that records right behind the position are missing. It reports
// whether that is accepted.
func (l *loss) find() bool {
	if l.state == lossAccepted {
		l.state = lossFound
	}
	return l.accepts()
}

// accepts reports whether a hole may begin at the reader's position.
func (l *loss) accepts() bool {
	switch l.state {
	case lossAccepted, lossRewound, lossSkipping, lossFound:
		return true
	}
	return false
}

// reach reports whether the reader has just come to the records that are skipped: by its position,
// or because the next record is one of them.
func (l *loss) reach(position messages.Position, next bool) bool {
	if l.state != lossSkipped || !next && l.span.After.After(position) {
		return false
	}
	l.state = lossSkipping
	return true
}

// pass is called when a batch has gone to the shard: what was lost lies behind it, or is still to
// come.
func (l *loss) pass() {
	if l.state != lossSkipped {
		*l = loss{}
	}
}

// endAt gives the holes that the state has once the log's first record behind the position is
// folded. Where a hole is known to begin there, the record must be the one at its end; another one
// means that more was lost. Where a loss was accepted, and there is one, that is the hole: another
// host may have published a checkpoint behind it meanwhile. Where the log was set back the hole may
// be one that held nothing: it begins the epoch.
func (l *loss) endAt(first, position messages.Position, holes []fold.Hole) ([]fold.Hole, error) {
	n := len(holes)
	known := n > 0 && holes[n-1].From == position
	switch {
	case known && holes[n-1].To == first && l.state != lossRewound:
		return holes, nil
	case !known && (l.state == lossAccepted || !l.accepts()):
		return holes, nil
	case !l.accepts():
		return nil, fmt.Errorf("%w: behind the hole that was accepted the record at %s was kept, now the oldest is at %s", eventlog.ErrTrimmed, holes[n-1].To, first)
	}
	return append(holes[:n:n], fold.Hole{From: position, To: first}), nil
}
