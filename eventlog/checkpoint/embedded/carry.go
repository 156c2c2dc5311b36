package embedded

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// carryOver copies what the newest checkpoint was the first to hold, and so has in its slot alone.
// What a writer has left in the other slot that did not commit is taken back: the records that it
// holds may be lost by now, and then nobody writes over it.
func (w *writer) carryOver() error {
	it, err := w.s.dir.DB.NewIter(&pebble.IterOptions{
		LowerBound: shardKey(headSpace, w.sh.number),
		UpperBound: shardKey(headSpace, w.sh.number+1),
	})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		k, slot, ok := splitKey(it.Key())
		if !ok {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(corruptOr(err), it.Close())
		}
		st, _, err := decodeHead(it.Key(), value)
		switch {
		case slot == w.from && (err != nil || st.sequence >= w.sequence-1):
			err = w.carryOne(k)
		case slot == w.slot && err == nil && st.sequence >= w.sequence:
			err = w.takeBack(k)
		default:
			err = nil
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// takeBack puts the dashboard's entry of the newest checkpoint in the place of one that belongs to
// none; where it has none there, the dashboard was never in a checkpoint. One that is corrupt there
// leaves the other: no better one is known.
func (w *writer) takeBack(k messages.Key) error {
	err := w.again(k)
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt):
		return nil
	case !errors.Is(err, checkpoint.ErrNone):
		return err
	}
	return w.remove(k)
}

// carryOne is again; where the entry is corrupt, the one of the checkpoint before the last stays in
// its place, and says from now on how far it goes.
func (w *writer) carryOne(k messages.Key) error {
	err := w.again(k)
	if !errors.Is(err, checkpoint.ErrCorrupt) {
		return err
	}
	w.s.dir.Logger.Error("checkpoint entry corrupt, the one before stays", "shard", w.sh.number, "dashboard", k.String(), "err", err)
	e, older := w.s.get(w.sh.number, k, w.slot, w.olderMarker())
	if older != nil {
		return w.putCorrupt(k)
	}
	return w.put(k, stamp{sequence: w.sequence, position: e.Position, through: e.Through}, e.Summary, e.State)
}

func (w *writer) olderMarker() (p messages.Position) {
	w.sh.mu.Lock()
	defer w.sh.mu.Unlock()
	if m := w.sh.marks[w.slot]; m != nil {
		p = m.Position
	}
	return p
}

// putCorrupt keeps a dashboard known whose state is lost in both slots: Get answers ErrCorrupt, not
// ErrNone.
func (w *writer) putCorrupt(k messages.Key) error {
	return errors.Join(
		w.batch.Set(bytes.Clone(entryKey(headSpace, w.sh.number, k, w.slot)), nil, nil),
		w.batch.Set(entryKey(bodySpace, w.sh.number, k, w.slot), nil, nil))
}
