// Package cells is the versioned set of cells that every holder of a dashboard keeps: the fold, a
// gateway's mirror, a client. There is one operation between any two of them, written once and
// here: what changed since version v.
//
//	var s cells.Set
//	h := s.Put(1, cells.Cell{Panel: 0, Start: 0, End: 10_000, Row: row})
//	s.Touch(h, 2)
//	s.Remove(h, 3)
//	u, ok := s.Since(2) // ok is false where v is older than the tombstones that are left
//	err := mirror.Apply(u)
//
// Promises:
//
//  1. Since(v) costs O(cells changed or removed after v): cells of a panel are linked in order of
//     change.
//  2. Versions given to Put, Touch, Remove and Advance never fall.
//  3. A holder at any version in [u.From, u.To) that applies u equals the giver at u.To.
//  4. Values are absolute: applying an update twice does no harm.
//  5. A removed cell leaves a tombstone; at most max(1,024, live cells) are kept, the oldest go
//     first and raise the floor. Since answers for every v at or above the floor, and for 0.
//  6. A cell's number is given at birth, counted up from 0, and never given again until Reset.
//
// The set is pure: no clock, lock, goroutine or I/O; its owner serialises calls.
package cells
