// Package roaring64 stands in for the package of the same name, of which Pulsar's client uses three
// functions. See third_party/README.md.
package roaring64

import (
	"maps"
	"slices"
)

// Bitmap is a set of numbers. It is not safe for concurrent use.
type Bitmap struct{ members map[uint64]struct{} }

// NewBitmap returns an empty set.
func NewBitmap() *Bitmap { return &Bitmap{members: map[uint64]struct{}{}} }

// Add puts x into the set.
func (b *Bitmap) Add(x uint64) { b.members[x] = struct{}{} }

// ToArray returns the members in ascending order.
func (b *Bitmap) ToArray() []uint64 { return slices.Sorted(maps.Keys(b.members)) }
