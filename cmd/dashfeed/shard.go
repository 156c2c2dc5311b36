package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
)

// shardCommand groups the commands on one shard. Ask the process that holds the shard: run, or a
// node.
type shardCommand struct {
	AcceptLoss shardAcceptLossCommand `cmd:"" help:"Skip a hole in a shard's log that nothing can fill, and continue with a new history."`
	Retry      shardRetryCommand      `cmd:"" help:"Load a shard that has stopped again."`
	Refused    shardRefusedCommand    `cmd:"" help:"Print the newest refused records of a shard's log, and how many there were."`
}

type shardRefusedCommand struct {
	adminServerFlags
	Shard int `arg:"" help:"Number of the shard, as readyz?verbose and cluster shards print it."`
}

// Run prints one line per record, and the number of records for each reason.
func (c *shardRefusedCommand) Run(p *program) error {
	var refused admin.Refused
	if err := c.ask(p, http.MethodGet, fmt.Sprintf("/shards/%d/refused", c.Shard), nil, &refused); err != nil {
		return err
	}
	t := table{columns: []string{"POSITION", "TIME", "REASON", "PRODUCER"}}
	for _, r := range refused.Newest {
		t.add(r.Position, r.Time, r.Reason, r.Producer)
	}
	if err := t.print(p.stdout, c.Output); err != nil {
		return err
	}
	for _, reason := range slices.Sorted(maps.Keys(refused.Counts)) {
		p.talk("%s: %d", reason, refused.Counts[reason])
	}
	return nil
}

type shardAcceptLossCommand struct {
	adminServerFlags
	yesFlag
	Shard int `arg:"" help:"Number of the shard, as readyz?verbose and cluster shards print it."`
}

// Run asks the shard's process, and waits until the shard is live or has failed again.
func (c *shardAcceptLossCommand) Run(p *program) error {
	if err := c.confirm(p, fmt.Sprintf("shard %d: its dashboards begin a new epoch without the records in the hole", c.Shard)); err != nil {
		return err
	}
	return c.goOn(p, c.Shard, "accept-loss")
}

type shardRetryCommand struct {
	adminServerFlags
	Shard int `arg:"" help:"Number of the shard, as readyz?verbose and cluster shards print it."`
}

// Run asks the shard's process, and waits until the shard is live or has failed again.
func (c *shardRetryCommand) Run(p *program) error { return c.goOn(p, c.Shard, "retry") }

func (f *adminServerFlags) goOn(p *program, shard int, what string) error {
	var went admin.Resumed
	if err := f.ask(p, http.MethodPost, fmt.Sprintf("/shards/%d/%s", shard, what), struct{}{}, &went); err != nil {
		return err
	}
	if went.State != "live" {
		p.talk("shard %d has started and still folds its log: see readyz?verbose", shard)
		return nil
	}
	p.talk("shard %d is live", shard)
	return nil
}
