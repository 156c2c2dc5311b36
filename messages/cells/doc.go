// Package cells holds the versioned set of cells that every holder of a dashboard keeps: the fold,
// a gateway's mirror and a client. One operation connects any two holders, and it is written only
// here: what changed since version v.
//
//	var s cells.Set
//	h := s.Put(1, cells.Cell{Panel: 0, Start: 0, End: 10_000, Row: row})
//	s.Touch(h, 2)
//	s.Remove(h, 3)
//	u, ok := s.Since(2) // ok is false if v is older than the tombstones still kept
//	err := mirror.Apply(u)
//
// Promises:
//
//  1. Since(v) costs O(cells changed or removed after v), because the cells of a panel are linked
//     in order of change.
//  2. Versions passed to Put, Touch, Remove and Advance never decrease.
//  3. A holder at any version in [u.From, u.To) that applies u equals the sender at u.To.
//  4. Values are absolute: applying an update twice does no harm.
//  5. A removed cell leaves a tombstone. The set keeps at most max(1,024, live cells) tombstones;
//     it drops the oldest first, which raises the floor. Since answers every v at or above the
//     floor, and 0.
//  6. A cell gets its number when it is created. Numbers count up from 0 and are not reused until
//     Reset.
//
// The set is pure: it has no clock, lock, goroutine or I/O. Its owner serialises calls.
package cells
