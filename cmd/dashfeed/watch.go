package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// watchCommand shows a dashboard as it changes: a live table in a terminal, otherwise one line per
// change.
type watchCommand struct {
	clientFlags
	Dashboard   string   `arg:"" help:"Dashboard."`
	Panels      []string `help:"Only these panels." placeholder:"PANEL"`
	MaxRate     float64  `help:"Updates a second; 0: as they come." placeholder:"N"`
	Wait        bool     `help:"Wait for a dashboard that has no event and no definition yet."`
	MaxAttempts int      `help:"Failed attempts to connect before it gives up; 0: unlimited, once it was connected." placeholder:"N"`
}

// Run watches until it is interrupted, or the server says that there is nothing to see.
func (c *watchCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := reachable(p, server); err != nil {
		return err
	}
	if !c.Wait {
		// if it can't be read now, the subscription says why, and retries
		if err := needDashboard(p, server, c.Dashboard); unknownDashboard(err) {
			return fmt.Errorf("%w; --wait waits for its first event", err)
		}
	}
	options := client.SubscribeOptions{Dashboard: c.Dashboard, Panels: c.Panels, MaxRate: c.MaxRate, MaxAttempts: c.MaxAttempts}
	if out, ok := terminal(p.stdout); ok && c.Output == "table" {
		return live(p, server, p.stdin, out, []client.SubscribeOptions{options})
	}
	return c.lines(p, server, options)
}

// lines prints the changes, for programs and pipes.
func (c *watchCommand) lines(p *program, server *client.Client, options client.SubscribeOptions) error {
	known := map[uint32]shownCell{} // a removed cell is printed by its last state
	last := ""
	return follow(p, server, options, func(s *client.Subscription, e client.SubscriptionEvent) error {
		switch e := e.(type) {
		case *client.Disconnected:
			p.talk("%v; attempt %d in %s", e.Err, e.Attempt, e.Wait.Round(time.Millisecond))
		case *client.Snapshot:
			if hasNoRecord(s, e) {
				p.talk("%s: %s", c.Dashboard, waitingNote)
			}
		}
		return tellEvent(e, s.View(), known).print(p.stdout, c.Output, s.View().Schema)
	}, func(counters messages.Counters) error {
		line := countersLine(counters)
		if line == last {
			return nil
		}
		last = line
		return told{Event: "counters", Dashboard: c.Dashboard, Counters: &counters, line: line}.print(p.stdout, c.Output, nil)
	})
}

// told is an event as watch prints it.
type told struct {
	// snapshot, update, status, gap, disconnected or counters
	Event     string             `json:"event"`
	Dashboard string             `json:"dashboard"`
	Epoch     string             `json:"epoch,omitempty"`
	Version   uint64             `json:"version,omitempty"`
	Cells     []shownCell        `json:"cells,omitempty"`
	Removed   []shownCell        `json:"removed,omitempty"`
	State     string             `json:"state,omitempty"`
	Why       string             `json:"why,omitempty"`
	Error     string             `json:"error,omitempty"`
	Counters  *messages.Counters `json:"counters,omitempty"`

	line string // of counters, for people
}

func tellEvent(e client.SubscriptionEvent, v *wire.View, known map[uint32]shownCell) told {
	t := told{Dashboard: v.Dashboard, Epoch: v.Place().Epoch.String(), Version: v.Place().Version}
	switch e := e.(type) {
	case *client.Snapshot:
		t.Event = "snapshot"
		clear(known)
		t.takeCells(e.Frame, v, known)
	case *client.Update:
		t.Event = "update"
		t.takeCells(e.Frame, v, known)
	case *client.Status:
		t.Event, t.State = "status", e.Frame.State
	case *client.Gap:
		t.Event, t.Why = "gap", e.Why
	case *client.Disconnected:
		t.Event, t.Error = "disconnected", e.Err.Error()
	}
	return t
}

func (t *told) takeCells(f *wire.Update, v *wire.View, known map[uint32]shownCell) {
	for _, n := range f.Removed {
		if was, ok := known[n]; ok {
			t.Removed = append(t.Removed, was)
			delete(known, n)
		}
	}
	for _, c := range f.Cells {
		if now, ok := v.Cell(c.Number); ok {
			shown := showCell(v.Schema, now)
			known[c.Number] = shown
			t.Cells = append(t.Cells, shown)
		}
	}
}

// print writes the event: a JSON object on a line, a YAML document, or one line of text per cell.
func (t told) print(w io.Writer, format string, schema wire.Schema) error {
	switch format {
	case "json":
		b, err := json.Marshal(t)
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "yaml":
		fmt.Fprintln(w, "---")
		return printJSON(w, "yaml", t)
	}
	for _, c := range t.Cells {
		if _, err := fmt.Fprintln(w, c.line(schema)); err != nil {
			return err
		}
	}
	if rest := t.State + t.Why + t.line; rest != "" {
		_, err := fmt.Fprintln(w, t.Event, visible(rest))
		return err
	}
	return nil
}

// line returns a cell on one line: panel, window, group, then name=value.
func (c shownCell) line(schema wire.Schema) string {
	parts := []string{c.Panel}
	var columns []string
	if c.number < len(schema) {
		columns = schema[c.number].Columns
		if w := c.window(schema[c.number].Axis); w != "" {
			parts = append(parts, w)
		}
	}
	if g := c.group(); g != "" {
		parts = append(parts, "["+g+"]")
	}
	for i, v := range c.values {
		parts = append(parts, at(columns, i)+"="+valueText(at(columns, i), v))
	}
	if c.Revision > 0 {
		parts = append(parts, fmt.Sprintf("final (revision %d)", c.Revision))
	}
	return visible(strings.Join(parts, " "))
}
