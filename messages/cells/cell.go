package cells

import "github.com/dashfeed/dashfeed/messages"

// Cell is one (panel, group, window) with its values and stamps.
type Cell struct {
	Number   uint32 // dense, given at birth, never reused in an epoch
	Revision uint32 // 0 partial, 1 final, each correction adds 1
	Panel    uint16
	Start    int64 // ms UTC, or the ordinal of a count window
	End      int64
	Group    Group
	Row      Row
	Born     uint64 // version of birth
	Changed  uint64 // version that last changed it
}

// Tombstone is what a removed cell leaves behind.
type Tombstone struct {
	Number  uint32
	Panel   uint16
	Removed uint64 // version of the removal
}

// Update is what changed between two versions: the cells whole, with their stamps, in order of
// number. An Update from 0 is a snapshot.
type Update struct {
	Epoch   messages.Epoch
	From    uint64
	To      uint64
	Cells   []Cell
	Removed []Tombstone // in order of removal
	Floor   uint64      // the giver's: below it only a snapshot can be had
}
