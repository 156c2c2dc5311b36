package gateway

import (
	"slices"
	"sync/atomic"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Bounds of what one view names.
const (
	maxPanels     = 1000
	maxGroups     = 1000
	maxGroupBytes = 32 << 10 // of the keys of all groups
)

// want is a view as the client asked for it. It outlives a change of the definition, unlike the
// projection.
type want struct {
	panels []string // sorted, each once; nil: all
	groups []wire.Tuple
}

// wantOf returns the want for the client's panels and groups, if they are within bounds. It removes
// duplicate panels.
func wantOf(panels []string, groups []wire.Tuple) (want, error) {
	if len(panels) > maxPanels {
		return want{}, wire.Errorf(wire.CodeLimit, "panels names %d, at most %d are allowed", len(panels), maxPanels)
	}
	if len(groups) > maxGroups {
		return want{}, wire.Errorf(wire.CodeLimit, "groups names %d, at most %d are allowed", len(groups), maxGroups)
	}
	if n := textOf(groups); n > maxGroupBytes {
		return want{}, wire.Errorf(wire.CodeLimit, "groups has %d bytes of keys, at most %d are allowed", n, maxGroupBytes)
	}
	if panels != nil {
		panels = slices.Compact(slices.Sorted(slices.Values(panels)))
	}
	return want{panels, groups}, nil
}

// textOf returns the length of the keys of all groups, with one extra byte for each key.
func textOf(groups []wire.Tuple) (n int) {
	for _, t := range groups {
		for _, key := range t {
			if n++; key != nil {
				n += len(*key)
			}
		}
	}
	return n
}

// cost returns approximately how many bytes a gateway holds for a view: its lists, their canonical
// forms, and a table of groups. The view of a whole dashboard counts as 0.
func (w want) cost() int64 {
	if w.panels == nil && w.groups == nil {
		return 0
	}
	n := 1 << 10
	for _, p := range w.panels {
		n += 64 + 2*len(p)
	}
	keys := 0
	for _, t := range w.groups {
		keys += len(t)
	}
	return int64(n + 224*len(w.groups) + 48*keys + 6*textOf(w.groups))
}

// views bounds the bytes of all views that name panels or groups, in a gateway and in one session.
type views struct {
	limits *limits.Limits
	held   atomic.Int64
}

// take reserves n bytes. Return them with give.
func (v *views) take(n int64) error {
	if n == 0 {
		return nil
	}
	if most := v.limits.Most(limits.ProcessViewBytes); float64(v.held.Add(n)) > most {
		v.held.Add(-n)
		return v.limits.Refuse(limits.ProcessViewBytes, &limits.By{}, most)
	}
	return nil
}

func (v *views) give(n int64) { v.held.Add(-n) }

// session checks that one session, whose views take held bytes, may have another view of n bytes.
func (v *views) session(held, n int64) error {
	if most := v.limits.Most(limits.SessionViewBytes); float64(held+n) > most {
		return v.limits.Refuse(limits.SessionViewBytes, &limits.By{}, most)
	}
	return nil
}
