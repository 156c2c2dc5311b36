package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/examples/flights"
)

const (
	demoSpeed = 300
	demoLines = 5 * time.Second // between lines if there is no terminal
)

// demoCommand is like run, with real data: the flights of New York, 300 times as fast, in a loop.
type demoCommand struct {
	configFlag
	roles.ServerFlags
	Open bool     `help:"Open the page in a browser, if there is one and stdout is a terminal." default:"true" negatable:"" group:"Server"`
	To   []string `help:"Publish to a running server, or to a cluster's gateways in turn, and start no server." placeholder:"URL"`
}

// Run serves, replays and shows until it is stopped.
func (c *demoCommand) Run(p *program) error {
	if len(c.To) > 0 {
		return c.publishAndShow(p, c.To, nil)
	}
	if err := p.config.readAuth(&c.PublicFlags); err != nil {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	sources, err := c.Sources()
	if err != nil {
		return err
	}
	logs := p.stderr
	if _, interactive := terminal(p.stdout); interactive {
		logs = io.Discard // the table uses the screen
	}
	s := roles.NewSingle(p.process(logs), c.ServerFlags, sources)
	if err := s.Start(p); err != nil {
		return roles.GiveUp(p, s, err)
	}
	return errors.Join(c.publishAndShow(p, []string{s.URL()}, s.Failed()), s.Stop())
}

// publishAndShow publishes and shows at the servers of a cluster until the program is stopped. It
// continues where the demo's dashboards are, or begins a new history of them.
func (c *demoCommand) publishAndShow(p *program, servers []string, failed <-chan error) error {
	server, err := openServers(servers, client.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	demo, err := demoSources()
	var from *replayProgress
	if err == nil {
		from, err = readProgress(p, server, demo)
	}
	if err == nil && from == nil {
		err = begin(p, server, demo)
	}
	if err != nil {
		return unlessStopped(p, err)
	}
	out, interactive := terminal(p.stdout)
	p.talk("the flights of New York, February 2013, %d times as fast:", demoSpeed)
	for _, d := range flights.Dashboards {
		p.talk("  %s/d/%s", servers[0], d)
	}
	if c.Open && interactive {
		openPage(servers[0] + "/")
	}
	ctx, cancel := context.WithCancel(p)
	defer cancel()
	replay := make(chan error, 1)
	go func() { replay <- c.replay(ctx, p, server, demo, from) }()
	show := func() error { return c.lines(ctx, p, server) }
	if interactive {
		var options []client.SubscribeOptions
		for _, d := range flights.Dashboards {
			options = append(options, client.SubscribeOptions{Dashboard: d})
		}
		show = func() error { return live(ctx, server, p.stdin, out, options) }
	}
	shown := make(chan error, 1)
	go func() { shown <- show() }()
	select {
	case <-p.Done():
		err = nil
	case err = <-failed:
	case err = <-replay:
		replay <- nil
	case err = <-shown:
		shown <- nil
	}
	cancel()
	<-replay
	<-shown
	return unlessStopped(p, err)
}

// unlessStopped returns err, or nil if the program was stopped: errors then come from the end
// itself.
func unlessStopped(p *program, err error) error {
	if p.Err() != nil {
		return nil
	}
	return err
}

// begin puts the demo's definitions in force.
func begin(ctx context.Context, server *client.Client, demo []source.Item) error {
	for _, s := range demo {
		if _, err := server.Define(ctx, s.Definition.Dashboard, s.Definition.YAML()); err != nil {
			return fmt.Errorf("define %s: %w", s.Definition.Dashboard, err)
		}
	}
	return nil
}

// demoSources returns the demo's definitions. Each begins a new history, since the replay starts
// from the beginning.
func demoSources() ([]source.Item, error) {
	sources, err := source.ReadDirectory(flights.Definitions(), "demo")
	for _, s := range sources {
		s.Definition.Reset = true
	}
	return sources, err
}

// replay publishes the flights over and over. It begins a new history when, after weeks, the moved
// times overtake the clock, and if the dashboards do not hold the beginning of the replay.
func (c *demoCommand) replay(ctx context.Context, p *program, server *client.Client, demo []source.Item, from *replayProgress) error {
	for {
		err := replayOnce(ctx, p, server, from)
		var overtakes *client.OvertakesError
		if !errors.As(err, &overtakes) && !errors.Is(err, errForeignEvents) || ctx.Err() != nil {
			return err
		}
		if from = nil; errors.Is(err, errForeignEvents) {
			p.talk("%v: it begins with a fresh history", err)
		}
		if err := begin(ctx, server, demo); err != nil {
			return err
		}
	}
}

func replayOnce(ctx context.Context, p *program, server *client.Client, from *replayProgress) error {
	mappings, err := csv.ReadMappings("map.yaml", bytes.NewReader(flights.Map))
	if err != nil {
		return err
	}
	in := &input{
		name: "flights.csv", size: int64(len(flights.CSV)),
		open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(flights.CSV)), nil },
		format: &csvFormat{options: csv.Options{File: "flights.csv", Null: []string{""}}, mappings: mappings},
	}
	if err := in.begin(); err != nil {
		return err
	}
	sending := &sending{program: p, input: in, began: time.Now(), refused: map[string]int{}, publisher: server.Publisher(client.PublisherOptions{})}
	if from != nil {
		sending.skip = from.has
	}
	err = sending.all(ctx, demoSpeed, true)
	if ctx.Err() != nil {
		sending.publisher.Close(ctx) // at the end, what is not sent is not needed
		return ctx.Err()
	}
	return errors.Join(err, sending.close())
}

// lines prints the dashboards every few seconds, if there is no terminal to draw on.
func (c *demoCommand) lines(ctx context.Context, p *program, server *client.Client) error {
	var pumps sync.WaitGroup
	defer pumps.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	boards := make(chan board, len(flights.Dashboards))
	for _, d := range flights.Dashboards {
		pumps.Go(func() {
			var last time.Time
			_ = pump(ctx, server, client.SubscribeOptions{Dashboard: d}, func(b board) {
				if time.Since(last) < demoLines || len(b.cells) == 0 {
					return
				}
				last = time.Now()
				select {
				case boards <- b:
				case <-ctx.Done():
				}
			})
		})
	}
	for {
		select {
		case b := <-boards:
			fmt.Fprintf(p.stdout, "%s version %d: %s\n", b.dashboard, b.version, b.cells[0].line(b.schema))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
