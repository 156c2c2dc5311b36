package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
	"github.com/dashfeed/dashfeed/messages"
)

// clusterCommand groups what there is to see and to do in a cluster.
type clusterCommand struct {
	Members clusterMembersCommand `cmd:"" help:"Print the processes of the cluster, as one of them sees it. State: alive; new: it came a moment ago and ranks behind the others; draining; silent: gossip has it, its beats are not heard; gone: left or died, since when."`
	Shards  clusterShardsCommand  `cmd:"" help:"Print every shard, who serves it and who else claims it. State: live; loading; unheard: no node that is heard has it, or only one that has lost its log."`
	Owner   clusterOwnerCommand   `cmd:"" help:"Print which node serves a dashboard."`
	Drain   clusterDrainCommand   `cmd:"" help:"Have a node hand over its shards, or a gateway send its sessions away; it then waits to be stopped."`
	Keys    clusterKeysCommand    `cmd:"" help:"Change the gossip's keys: new, list, add, use, remove."`
}

type clusterMembersCommand struct{ adminServerFlags }

// Run prints a line a member.
func (c *clusterMembersCommand) Run(p *program) error {
	var members []admin.Member
	if err := c.ask(p, http.MethodGet, "/cluster/members", nil, &members); err != nil {
		return err
	}
	t := table{columns: []string{"NAME", "ROLE", "STATE", "LIVE", "LOADING", "WEIGHT", "LINK", "GOSSIP", "SINCE"}}
	for _, m := range members {
		t.add(m.Name, m.Role, m.State, m.Live, m.Loading, m.Weight, m.Link, m.Gossip, m.Since)
	}
	return t.print(p.stdout, c.Output)
}

type clusterShardsCommand struct{ adminServerFlags }

// Run prints a line a shard; exit code 1 where one of them is served by nobody.
func (c *clusterShardsCommand) Run(p *program) error {
	var shards []admin.ShardStatus
	if err := c.ask(p, http.MethodGet, "/cluster/shards", nil, &shards); err != nil {
		return err
	}
	t := table{columns: []string{"SHARD", "TENANT", "PARTITION", "STATE", "OWNER", "CLAIMS", "RANKED"}}
	orphans := 0
	for _, s := range shards {
		if s.Owner == "" {
			orphans++
		}
		t.add(s.Shard, s.Tenant, s.Partition, s.State, s.Owner, claimed(s.Claims), append(list{}, s.Ranked...))
	}
	if err := t.print(p.stdout, c.Output); err != nil {
		return err
	}
	if orphans > 0 {
		return fmt.Errorf("%d of %d shards are served by nobody at the moment", orphans, len(shards))
	}
	return nil
}

// claimed spells claims: node-1:live, node-2:loading.
func claimed(claims []admin.Claim) list {
	parts := list{}
	for _, c := range claims {
		parts = append(parts, c.Node+":"+c.State)
	}
	return parts
}

type clusterOwnerCommand struct {
	adminServerFlags
	Tenant    string `help:"Tenant of the dashboard." default:"default" placeholder:"TENANT" group:"Client"`
	Dashboard string `arg:"" help:"Dashboard."`
}

// Run prints the shard and its node; exit code 1 where nobody serves it.
func (c *clusterOwnerCommand) Run(p *program) error {
	k := messages.Key{Tenant: c.Tenant, Dashboard: c.Dashboard}
	if !k.Valid() {
		return usage("%w", firstOf(messages.CheckName("tenant", k.Tenant), messages.CheckName("dashboard", k.Dashboard)))
	}
	var o admin.Owner
	path := "/cluster/owner?" + url.Values{"tenant": {k.Tenant}, "dashboard": {k.Dashboard}}.Encode()
	if err := c.ask(p, http.MethodGet, path, nil, &o); err != nil {
		return err
	}
	t := table{columns: []string{"DASHBOARD", "TENANT", "SHARD", "STATE", "OWNER", "CLAIMS"}}
	t.add(o.Dashboard, o.Tenant, o.Shard, o.State, o.Owner, claimed(o.Claims))
	if err := t.print(p.stdout, c.Output); err != nil {
		return err
	}
	if o.Owner == "" {
		return fmt.Errorf("shard %d of %s is served by nobody at the moment", o.Shard, k)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type clusterDrainCommand struct {
	adminServerFlags
	Member string `arg:"" name:"node" help:"Name of the node or gateway."`
}

// Run asks for the drain, and says where to look how it goes.
func (c *clusterDrainCommand) Run(p *program) error {
	if err := c.ask(p, http.MethodPost, "/cluster/drain", admin.DrainRequest{Node: c.Member}, nil); err != nil {
		return err
	}
	p.talk("%s drains, and stays a member until it is stopped: cluster members tells how many shards a node still has, a gateway's own /readyz?verbose how many sessions", c.Member)
	return nil
}

// clusterKeysCommand changes the gossip's keys without a restart: add everywhere, use everywhere,
// remove everywhere.
type clusterKeysCommand struct {
	New    clusterKeysNewCommand    `cmd:"" help:"Print a new key, for the gossip or for the cluster."`
	List   clusterKeysListCommand   `cmd:"" help:"Print the fingerprints of the keys of one process."`
	Add    clusterKeysAddCommand    `cmd:"" help:"Have one process understand one more key."`
	Use    clusterKeysUseCommand    `cmd:"" help:"Have one process speak with a key that all understand by now."`
	Remove clusterKeysRemoveCommand `cmd:"" help:"Have one process forget a key that nobody speaks with any more."`
}

type clusterKeysNewCommand struct {
	To string `help:"File to make with the key, for its owner alone; one that is there stays as it is. Not given: standard output." placeholder:"FILE"`
}

// Run prints 32 random bytes in base64, as --gossip-key and --cluster-key want them.
func (c *clusterKeysNewCommand) Run(p *program) error {
	if c.To == "" {
		fmt.Fprintln(p.stdout, keys.New())
		return nil
	}
	err := keys.Make(c.To)
	if errors.Is(err, fs.ErrExist) {
		p.talk("%s is there and stays as it is", c.To)
		return nil
	}
	return err
}

type clusterKeysListCommand struct{ adminServerFlags }

// Run prints fingerprints: a key itself is never told.
func (c *clusterKeysListCommand) Run(p *program) error {
	var keys []admin.Key
	if err := c.ask(p, http.MethodGet, "/cluster/keys", nil, &keys); err != nil {
		return err
	}
	t := table{columns: []string{"KEY", "PRIMARY"}}
	for _, k := range keys {
		t.add(k.Key, k.Primary)
	}
	return t.print(p.stdout, c.Output)
}

// keyFile names a file, so that the key is in no list of processes.
type keyFile struct {
	adminServerFlags
	File string `arg:"" help:"File with the key; -: standard input."`
}

func (c *keyFile) do(p *program, what string) error {
	read := func() ([]byte, error) { return os.ReadFile(c.File) }
	if c.File == "-" {
		read = p.readStdin
	}
	b, err := read()
	if err != nil {
		return usage("read the key: %w", err)
	}
	return c.ask(p, http.MethodPost, "/cluster/keys", admin.KeyRequest{Do: what, Key: strings.TrimSpace(string(b))}, nil)
}

type clusterKeysAddCommand struct{ keyFile }

// Run adds the key.
func (c *clusterKeysAddCommand) Run(p *program) error { return c.do(p, "add") }

type clusterKeysUseCommand struct{ keyFile }

// Run speaks with the key from now on.
func (c *clusterKeysUseCommand) Run(p *program) error { return c.do(p, "use") }

type clusterKeysRemoveCommand struct{ keyFile }

// Run forgets the key.
func (c *clusterKeysRemoveCommand) Run(p *program) error { return c.do(p, "remove") }
