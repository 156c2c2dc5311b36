package wire

import (
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// ErrGap is returned by View.Apply for an update that begins after the view's place: subscribe
// again with Place.
var ErrGap = errors.New("update leaves a gap")

// View is a client's copy of one view of a dashboard. Give it every Subscribed, Gap and Update of
// its view in order:
//
//	v.Subscribed(f)            // new schema; forgets everything unless resumed
//	v.Gap()                    // forgets everything
//	changed, err := v.Apply(u) // rule 1 of the protocol
//
// The zero View is empty. A View is not safe for concurrent use.
type View struct {
	Dashboard string
	Schema    Schema
	Time      int64 // latest log time that a frame carried, ms

	place messages.Place
	set   cells.Set
	void  bool // only an update from 0 is accepted
}

// Place returns the view's place, to give as Since when subscribing again. Its View is 0 before
// Subscribed.
func (v *View) Place() messages.Place { return v.place }

// Empty reports whether the view has not applied any update, so that there is no place to resume
// from.
func (v *View) Empty() bool { return v.void || v.place.Version == 0 && v.place.Epoch == 0 }

// Subscribed applies the answer to a subscribe, or the one that comes when the definition has
// changed.
func (v *View) Subscribed(f *Subscribed) error {
	id, err := messages.ParseView(f.View)
	if err != nil {
		return fmt.Errorf("subscribed: %w", err)
	}
	if !f.Resumed || id != v.place.View {
		v.Gap()
	}
	v.Dashboard, v.Schema, v.place.View = f.Dashboard, f.Schema, id
	return nil
}

// Gap marks the cells as invalid until an update from 0 comes. They can still be shown meanwhile.
func (v *View) Gap() { v.void = true }

// Apply applies an update; changed is false if it was not new. An update of another epoch that does
// not start at 0, and one that begins after the view's version, is ErrGap.
func (v *View) Apply(u *Update) (changed bool, err error) {
	if u.From == 0 && (v.void || u.Epoch != v.place.Epoch) {
		v.set, v.place.Epoch, v.place.Version, v.void = cells.Set{}, u.Epoch, 0, false
	}
	if v.void || u.Epoch != v.place.Epoch || u.From > v.place.Version {
		return false, fmt.Errorf("%w: it goes from %d in epoch %s, the view is at %d in %s",
			ErrGap, u.From, u.Epoch, v.place.Version, v.place.Epoch)
	}
	if u.To <= v.place.Version && v.place.Version != 0 {
		return false, nil
	}
	whole, err := v.whole(u)
	if err != nil {
		return false, err
	}
	if err := v.set.Apply(whole); err != nil {
		return false, fmt.Errorf("%w: %v", ErrGap, err)
	}
	v.place.Version = u.To
	if u.Time != 0 {
		v.Time = u.Time
	}
	return true, nil
}

// whole returns the update with every cell's key filled in from what the view holds.
func (v *View) whole(u *Update) (cells.Update, error) {
	w := cells.Update{Epoch: u.Epoch, From: u.From, To: u.To, Cells: make([]cells.Cell, 0, len(u.Cells))}
	for _, n := range u.Removed {
		w.Removed = append(w.Removed, cells.Tombstone{Number: n, Removed: u.To})
	}
	for _, c := range u.Cells {
		full := cells.Cell{
			Number: c.Number, Revision: c.Revision, Panel: c.Panel, Start: c.Start, End: c.End, Group: c.Group, Row: c.Row,
			Created: u.To, Changed: u.To,
		}
		if int(c.Panel) >= max(1, len(v.Schema)) {
			return w, fmt.Errorf("cell %d is of panel %d, the schema has %d", c.Number, c.Panel, len(v.Schema))
		}
		held, ok := v.set.Cell(c.Number)
		if !c.Whole {
			if !ok {
				return w, fmt.Errorf("%w: cell %d is not known", ErrGap, c.Number)
			}
			full.Panel, full.Start, full.End, full.Group = held.Panel, held.Start, held.End, held.Group
		}
		if ok {
			full.Created = held.Created
		}
		w.Cells = append(w.Cells, full)
	}
	return w, nil
}

// Cells returns a copy of the cells, ordered by number.
func (v *View) Cells() []cells.Cell { return v.set.Cells() }

// Cell returns the cell with that number.
func (v *View) Cell(number uint32) (*cells.Cell, bool) { return v.set.Cell(number) }

// Since returns what changed after a version that the view was at, for a caller that paints only
// changes. ok is false if only Cells helps.
func (v *View) Since(version uint64) (u cells.Update, ok bool) { return v.set.Since(version) }
