package cells

import "github.com/dashfeed/dashfeed/messages"

// Cell is one (panel, group, window) with its values and stamps.
type Cell struct {
	Number   uint32 // dense; assigned when the cell is created, never reused within an epoch
	Revision uint32 // 0: partial, 1: final; each correction adds 1
	Panel    uint16
	Start    int64 // ms UTC, or the ordinal of a count window
	End      int64
	Group    Group
	Row      Row
	Created  uint64 // version that created the cell
	Changed  uint64 // version that last changed the cell
}

// Tombstone records that a cell was removed.
type Tombstone struct {
	Number  uint32
	Panel   uint16
	Removed uint64 // version that removed the cell
}

// Update holds what changed between two versions: the changed cells whole, with their stamps,
// ordered by number. An update from 0 is a snapshot.
type Update struct {
	Epoch   messages.Epoch
	From    uint64
	To      uint64
	Cells   []Cell
	Removed []Tombstone // in order of removal
	Floor   uint64      // the sender's floor: below it Since answers only snapshots
}
