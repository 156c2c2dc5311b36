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

// clusterCommand groups the commands on a cluster.
type clusterCommand struct {
	Members clusterMembersCommand `cmd:"" help:"Print the processes of the cluster, as one of them sees it. States: alive; new (just joined, ranks last); draining; silent (known by gossip, but sends no beats); gone (left or died)."`
	Shards  clusterShardsCommand  `cmd:"" help:"Print every shard, the node that serves it and the nodes that claim it. States: live; loading; unheard (no reachable node has it, or only one that has lost its log)."`
	Owner   clusterOwnerCommand   `cmd:"" help:"Print which node serves a dashboard."`
	Drain   clusterDrainCommand   `cmd:"" help:"Make a node hand over its shards, or a gateway send its sessions away. It then waits to be stopped."`
	Keys    clusterKeysCommand    `cmd:"" help:"Change the gossip's keys: new, list, add, use, remove."`
}

type clusterMembersCommand struct{ adminServerFlags }

// Run prints one line per member.
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

// Run prints one line per shard. The exit code is 1 if no node serves one of them.
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
		return fmt.Errorf("no node serves %d of %d shards at the moment", orphans, len(shards))
	}
	return nil
}

// claimed formats claims: node-1:live, node-2:loading.
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

// Run prints the shard and its node. The exit code is 1 if no node serves it.
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
		return fmt.Errorf("no node serves shard %d of %s at the moment", o.Shard, k)
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

// Run starts the drain, and prints how to observe it.
func (c *clusterDrainCommand) Run(p *program) error {
	if err := c.ask(p, http.MethodPost, "/cluster/drain", admin.DrainRequest{Node: c.Member}, nil); err != nil {
		return err
	}
	p.talk("%s drains, and stays a member until you stop it. cluster members shows how many shards a node still has; a gateway's own /readyz?verbose shows how many sessions", c.Member)
	return nil
}

// clusterKeysCommand changes the gossip's keys without a restart: add the new key on every process,
// then use it on every process, then remove the old one from every process.
type clusterKeysCommand struct {
	New    clusterKeysNewCommand    `cmd:"" help:"Print a new key, for the gossip or for the cluster."`
	List   clusterKeysListCommand   `cmd:"" help:"Print the fingerprints of the keys of one process."`
	Add    clusterKeysAddCommand    `cmd:"" help:"Add a key that one process accepts."`
	Use    clusterKeysUseCommand    `cmd:"" help:"Make one process encrypt with a key that all processes accept."`
	Remove clusterKeysRemoveCommand `cmd:"" help:"Remove a key from one process, once no process encrypts with it."`
}

type clusterKeysNewCommand struct {
	To string `help:"File to create with the key, readable by its owner only. An existing file is left as it is. Without it: standard output." placeholder:"FILE"`
}

// Run prints 32 random bytes in base64, the format of --gossip-key and --cluster-key.
func (c *clusterKeysNewCommand) Run(p *program) error {
	if c.To == "" {
		fmt.Fprintln(p.stdout, keys.New())
		return nil
	}
	err := keys.Make(c.To)
	if errors.Is(err, fs.ErrExist) {
		p.talk("%s exists and is left as it is", c.To)
		return nil
	}
	return err
}

type clusterKeysListCommand struct{ adminServerFlags }

// Run prints fingerprints, never the keys themselves.
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

// keyFile names a file, so that the key does not appear in a list of processes.
type keyFile struct {
	adminServerFlags
	File string `arg:"" help:"File with the key; - is stdin."`
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

// Run makes the process encrypt with the key from now on.
func (c *clusterKeysUseCommand) Run(p *program) error { return c.do(p, "use") }

type clusterKeysRemoveCommand struct{ keyFile }

// Run makes the process forget the key.
func (c *clusterKeysRemoveCommand) Run(p *program) error { return c.do(p, "remove") }
