package fold

import (
	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/fold/definition"
)

// windowKind is what the fold knows about one kind of window. To add a kind, write its windowKind
// beside its code in a file of its own, add it to windowKinds and foldInto, and add it to the table
// of kinds in package definition, which says how it is written and shown.
type windowKind struct {
	name definition.WindowKind
	// compile sets the panel's durations from a definition's window. It returns how many seconds a
	// window lasts, which rates divide by; 0 if a window has no fixed length.
	compile func(pp *panelProgram, w definition.Window) (seconds float64, err error)
	// keepLess removes what panel i no longer shows after keep became smaller; nil: nothing.
	keepLess func(d *Dashboard, i int, v uint64)
	// encode and decode handle what panel i holds besides its windows of time.
	encode func(d *Dashboard, b []byte, i int) []byte
	decode func(d *Dashboard, r *codec.Reader, i int)

	shared bool // all groups share windows of time, see Dashboard.window
	merges bool // the rows of groups are merged from panes: cells have no accumulator
	frozen bool // a complete cell keeps its row and returns its accumulator
}

// windowKinds lists the kinds that definitions can name.
var windowKinds = [...]*windowKind{&tumblingWindow, &hoppingWindow, &sessionWindow, &countWindow, &latestWindow}

// kindOf returns nil for an unknown kind.
func kindOf(name definition.WindowKind) *windowKind {
	for _, k := range windowKinds {
		if k.name == name {
			return k
		}
	}
	return nil
}

// foldInto folds an event into panel i. It is a switch and no field of windowKind because a call
// through a field would move the arrival to the heap: one allocation for each event.
func (d *Dashboard) foldInto(i int, a *arrival) (o outcome) {
	switch d.program.panels[i].kind {
	case &tumblingWindow:
		o = d.tumbling(i, a)
	case &hoppingWindow:
		o = d.hopping(i, a)
	case &sessionWindow:
		o = d.session(i, a)
	case &countWindow:
		o = d.count(i, a)
	case &latestWindow:
		o = d.latest(i, a)
	}
	return o
}

func lengthOf(pp *panelProgram) float64 { return float64(pp.size) / 1000 }
