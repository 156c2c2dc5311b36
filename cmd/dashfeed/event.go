package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"strconv"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/messages/event"
)

// eventCommand groups the commands on single events.
type eventCommand struct {
	Post eventPostCommand `cmd:"" help:"Post the given events: as JSON, or one by its fields. Every call counts again; to publish a file, and count it once, use publish."`
}

// eventPostCommand is like publish, for events that a user types, and prints the same sum. It
// differs in the ids for events without one: publish derives them from the file, so that the same
// file counts once; here they are random, so that the same words count again.
type eventPostCommand struct {
	configFlag
	contextFlag
	serverOf
	outputFlag
	Dashboard string            `help:"Dashboard of events that do not name one." placeholder:"DASHBOARD"`
	Metric    string            `help:"Metric of an event that is given by its fields." placeholder:"METRIC"`
	Value     *float64          `help:"Its value." placeholder:"NUMBER"`
	Label     map[string]string `help:"One of its labels. Repeat the flag for more." placeholder:"NAME=TEXT" mapsep:"none"`
	ID        string            `help:"Its id. An event whose id the dashboard remembers is not counted again." placeholder:"ID"`
	Time      string            `help:"Its time, RFC 3339 or milliseconds. Without it: the time of arrival." placeholder:"TIME"`
	Events    []string          `arg:"" optional:"" name:"event" help:"Events as JSON; - is stdin."`
}

// Run posts the events and prints what became of them.
func (c *eventPostCommand) Run(p *program) error {
	text, err := c.text(p)
	if err != nil {
		return err
	}
	server, err := (&clientFlags{serverOf: c.serverOf}).open()
	if err != nil {
		return err
	}
	defer server.Close()
	const name = "event"
	in := &input{name: name, size: int64(len(text)), file: io.NopCloser(bytes.NewReader(text))}
	in.format = &ndjsonFormat{
		options: csv.Options{File: name}, ids: rand.Text() + "-", route: event.Route{Tenant: c.Tenant, Dashboard: c.Dashboard},
	}
	if err := in.begin(); err != nil {
		return err
	}
	publish := publishCommand{serverOf: c.serverOf, outputFlag: c.outputFlag, Dashboard: c.Dashboard, Batch: maxBatch}
	return publish.send(p, server, in)
}

// text returns the given events, one per line.
func (c *eventPostCommand) text(p *program) ([]byte, error) {
	fields := c.Metric != "" || c.Value != nil || len(c.Label) > 0 || c.ID != "" || c.Time != ""
	switch {
	case fields && len(c.Events) > 0:
		return nil, usage("an event is given as JSON or by --metric, --value and so on, not both")
	case fields:
		return c.fields()
	case len(c.Events) == 0:
		return nil, usage("no event: give events as JSON, - for stdin, or one by --metric and --value")
	}
	var text []byte
	for _, e := range c.Events {
		b := []byte(e)
		if e == "-" {
			var err error
			if b, err = p.readStdin(); err != nil {
				return nil, err
			}
		}
		text = append(append(text, b...), '\n')
	}
	return text, nil
}

// fields returns the event that the flags describe.
func (c *eventPostCommand) fields() ([]byte, error) {
	if c.Metric == "" || c.Value == nil {
		return nil, usage("an event needs --metric and --value")
	}
	e := map[string]any{"metric": c.Metric, "value": *c.Value}
	if len(c.Label) > 0 {
		e["labels"] = c.Label
	}
	if c.ID != "" {
		e["id"] = c.ID
	}
	if c.Time != "" {
		e["time"] = c.Time
		if ms, err := strconv.ParseInt(c.Time, 10, 64); err == nil {
			e["time"] = ms
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return nil, usage("value %v is not allowed: a number", *c.Value)
	}
	return text, nil
}
