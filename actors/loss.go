package actors

import (
	"fmt"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// loss holds what is known and decided about records that a shard's log has lost. The assignment
// keeps it between two of its shards. The next shard is loaded with it, and the reader updates it
// until records are contiguous again. It does no I/O.
type loss struct {
	state lossState
	at    messages.Position // lossReloaded: how far the reader had come
	span  crashes.Span      // lossSkipped, lossSkipping: the records to skip
}

// lossState is the state of a loss. The states from lossAccepted on follow from an operator's
// decision.
type lossState int

const (
	// lossNone: no record is missing. If the log is found to lack records, the shard is loaded
	// again.
	lossNone lossState = iota
	// lossReloaded: the shard was loaded again because records are missing. If they are still
	// missing, it fails.
	lossReloaded
	// lossAccepted: records that are missing right behind the checkpoint are accepted as lost.
	lossAccepted
	// lossRewound: the log was set back behind the checkpoint, and this is accepted. This host
	// drops its own state of the shard, and a new epoch begins whatever record comes next.
	lossRewound
	// lossSkipped: the process ends at the records of the span, and they are accepted as lost. The
	// reader has not reached them yet.
	lossSkipped
	// lossSkipping: the reader stands before that span and continues behind it.
	lossSkipping
	// lossFound: the log has confirmed the accepted loss. The next record ends the hole.
	lossFound
)

// reload reports whether a shard is loaded again after its reader found records missing behind the
// position: the first time, and whenever the shard has come further since.
func (l *loss) reload(at messages.Position) bool {
	if l.state == lossReloaded && !at.After(l.at) {
		return false
	}
	*l = loss{state: lossReloaded, at: at}
	return true
}

// retry makes the next shard load as if nothing were missing, unless a loss is accepted.
func (l *loss) retry() {
	if l.state == lossReloaded {
		*l = loss{}
	}
}

// take returns the loss that the next shard is loaded with. A decision applies to one load.
func (l *loss) take() (next loss) {
	if l.state != lossReloaded {
		next, *l = *l, loss{}
	}
	return next
}

// reopen is called before the log is opened again behind the same position: the log must report
// anew what is missing.
func (l *loss) reopen() {
	if l.state == lossFound {
		l.state = lossAccepted
	}
}

// find is called when the log reports that records right behind the position are missing. It
// returns whether this loss is accepted.
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

// reach reports whether the reader has just reached the skipped records, either by its position, or
// because the next record is one of them.
func (l *loss) reach(position messages.Position, next bool) bool {
	if l.state != lossSkipped || !next && l.span.After.After(position) {
		return false
	}
	l.state = lossSkipping
	return true
}

// pass is called when a batch was sent to the shard: the loss lies behind it, or is still to come.
func (l *loss) pass() {
	if l.state != lossSkipped {
		*l = loss{}
	}
}

// endAt returns the holes that the state has after the log's first record behind the position is
// folded. If a known hole begins at the position, the record must be the one at its end; another
// record means that more was lost. If a loss was accepted and is found, it becomes a hole; it may
// be known already because another host has published a checkpoint behind it. If the log was set
// back, the hole may be empty: it begins the new epoch.
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
