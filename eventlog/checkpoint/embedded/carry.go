package embedded

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// carryOver copies the entries that changed in the newest checkpoint, which only its slot has. It
// replaces entries that an uncommitted writer left in the other slot: the records in them may be
// lost by now, and then nobody would overwrite them.
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
			err = w.restore(k)
		default:
			err = nil
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

// restore replaces an entry that belongs to no checkpoint by the dashboard's entry of the newest
// checkpoint; if there is none, the dashboard was never in a checkpoint. If that entry is corrupt
// the other one stays: no better one is known.
func (w *writer) restore(k messages.Key) error {
	err := w.again(k)
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt):
		return nil
	case !errors.Is(err, checkpoint.ErrNone):
		return err
	}
	return w.remove(k)
}

// carryOne is again; if the entry is corrupt, the one of the checkpoint before the last stays, with
// a note how far it goes.
func (w *writer) carryOne(k messages.Key) error {
	err := w.again(k)
	if !errors.Is(err, checkpoint.ErrCorrupt) {
		return err
	}
	w.s.dir.Logger.Error("checkpoint entry corrupt, the previous one stays", "shard", w.sh.number, "dashboard", k.String(), "err", err)
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

// putCorrupt stores a dashboard whose state is lost in both slots, so that Get returns ErrCorrupt
// and not ErrNone.
func (w *writer) putCorrupt(k messages.Key) error {
	return errors.Join(
		w.batch.Set(bytes.Clone(entryKey(headSpace, w.sh.number, k, w.slot)), nil, nil),
		w.batch.Set(entryKey(bodySpace, w.sh.number, k, w.slot), nil, nil))
}
