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

// standing is where the demo's dashboards stand in its replay. The replay sends the same events in
// the same order, and each is sent until it is stored: so a dashboard that holds n events holds the
// first n that are for it.
type standing struct {
	left   map[string]uint64 // events of the replay that it has, by dashboard
	newest map[string]int64  // the newest time it knows, ms
}

// errStrange says that a dashboard holds something else than the beginning of the replay.
var errStrange = errors.New("somebody else has written to the demo's dashboards")

// stand asks where the dashboards stand; nil where one has not the demo's definition, or no event.
func stand(ctx context.Context, server *client.Client, demo []source.Item) (*standing, error) {
	s := &standing{left: map[string]uint64{}, newest: map[string]int64{}}
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

// has reports whether the event's dashboard has it already.
func (s *standing) has(e *outgoing) (bool, error) {
	name := e.key.Dashboard
	if s.left[name] == 0 {
		return false, nil
	}
	if s.left[name]--; s.left[name] == 0 && e.ms != s.newest[name] {
		return false, errStrange
	}
	return true, nil
}
