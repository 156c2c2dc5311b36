package pulsar

import (
	"context"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/entries"
)

// assemble takes a chunk, in the order of entries. It gives the entry that holds its message, if
// the message ends there. Where it may have begun before the reading did, what lies in front is
// looked up: what it is must not depend on that.
func (l *Log) assemble(ctx context.Context, chunks *entries.Assembler, e *entries.Entry, enter func(ctx context.Context, ledger, entry int64) (entrance, error)) (*entries.Entry, error) {
	switch chunks.Take(e) {
	case entries.Part:
		return nil, nil
	case entries.Whole:
		return e, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errPatience)
	defer cancel()
	begin := max(0, e.Entry-entries.MaxSpan)
	from, err := enter(ctx, e.Ledger, begin)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	// All of them at once: others end behind this one, and none shall be looked up again.
	all, own := entries.Assembler{Ledger: e.Ledger, Entry: begin}, entries.Assembler{Ledger: e.Ledger, Entry: begin}
	for {
		x, err := from.Next(ctx)
		if err != nil {
			return nil, unreachable(err)
		}
		if x.Ledger > e.Ledger || x.Ledger == e.Ledger && x.Entry > e.Entry {
			e.Refuse(entries.Incomplete)
			return e, nil
		}
		switch {
		case x.SameMessage(e):
			state := own.Take(x)
			if x.Ledger != e.Ledger || x.Entry != e.Entry {
				continue
			}
			*chunks = all
			if state == entries.Whole {
				return x, nil
			}
			e.Refuse(entries.Incomplete)
			return e, nil
		case x.Chunked():
			all.Take(x)
		}
	}
}
