package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/messages"
)

// replayProgress says how far the demo's dashboards are in its replay. The replay sends the same
// events in the same order, and sends each until it is stored. So a dashboard that holds n events
// holds the first n that are for it.
type replayProgress struct {
	left   map[string]uint64 // events that it has and the replay has not reached, by dashboard
	newest map[string]int64  // its newest event time, ms
}

// errForeignEvents says that a dashboard does not hold the beginning of the replay.
var errForeignEvents = errors.New("somebody else has written to the demo's dashboards")

// readProgress asks how far the dashboards are. It returns nil if one has another definition than
// the demo's, or no event.
func readProgress(ctx context.Context, server *client.Client, demo []source.Item) (*replayProgress, error) {
	s := &replayProgress{left: map[string]uint64{}, newest: map[string]int64{}}
	for _, one := range demo {
		name := one.Definition.Dashboard
		d, err := server.Definition(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("definition of %s: %w", name, err)
		}
		if d.Default || d.Hash != one.Definition.Hash() {
			return nil, nil
		}
		r, err := server.Read(ctx, name, client.ReadOptions{Bare: true})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		var c messages.Counters
		if err := json.Unmarshal(r.Counters, &c); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		s.left[name] = c.Records + c.SetAside - c.Duplicates
		if s.left[name] == 0 {
			return nil, nil
		}
		for _, newest := range r.Latest {
			s.newest[name] = max(s.newest[name], newest.Time)
		}
	}
	return s, nil
}

// has reports whether the event's dashboard has the event already.
func (s *replayProgress) has(e *outgoing) (bool, error) {
	name := e.key.Dashboard
	if s.left[name] == 0 {
		return false, nil
	}
	if s.left[name]--; s.left[name] == 0 && e.ms != s.newest[name] {
		return false, errForeignEvents
	}
	return true, nil
}
