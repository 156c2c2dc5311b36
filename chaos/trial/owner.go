package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// Shard is what one process reports of a shard at /cluster/shards.
type Shard struct {
	Shard     int
	Tenant    string
	Partition int
	Owner     string
	State     string
	Ranked    []string
	Claims    []Claim
}

// Claim is what the process has received from one node.
type Claim struct {
	Node, State, Position string
}

// Live returns the nodes that claim to be live.
func (s *Shard) Live() (nodes []string) {
	for _, c := range s.Claims {
		if c.State == "live" {
			nodes = append(nodes, c.Node)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// Shards asks a process for all shards.
func Shards(ctx context.Context, p *process.Process) (shards []Shard, err error) {
	return shards, Admin(ctx, p, http.MethodGet, "/cluster/shards", nil, &shards)
}

// Drain drains a member, waits until it is empty, and stops it.
func (t *Trial) Drain(ctx context.Context, member *process.Process) error {
	ask := func() error { // retries: a starved machine may have just declared the member gone
		return Admin(ctx, t.Asked(member), http.MethodPost, "/cluster/drain", map[string]string{"node": member.Name}, nil)
	}
	if err := t.until(ctx, ask); err != nil {
		return err
	}
	if err := t.Emptied(ctx, member); err != nil {
		return err
	}
	return member.Stop()
}

// Asked returns the process whose admin listener is asked to drain a member: a gateway itself, or
// another process for a node.
func (t *Trial) Asked(member *process.Process) *process.Process {
	for _, p := range t.Cluster.Nodes {
		if member.URL == "" && p != member && p.Running() {
			return p
		}
	}
	return member
}

// Emptied waits until a draining node holds no shard according to other processes and each shard
// has another owner, or until a draining gateway has no session.
func (t *Trial) Emptied(ctx context.Context, member *process.Process) error {
	return t.until(ctx, func() error {
		if member.URL != "" {
			if said := member.Health(); !strings.Contains(said, "draining: 0 sessions are left") {
				return fmt.Errorf("%s is draining: %s", member.Name, said)
			}
			return nil
		}
		shards, err := Shards(ctx, t.Asked(member))
		for _, s := range shards {
			held := slices.ContainsFunc(s.Claims, func(c Claim) bool { return c.Node == member.Name })
			if held || s.Owner == "" || s.Owner == member.Name {
				return fmt.Errorf("%s is draining: shard %d is served by %q, claims %v", member.Name, s.Shard, s.Owner, s.Claims)
			}
		}
		return err
	})
}

// Admin sends a request to a process's admin listener.
func Admin(ctx context.Context, p *process.Process, method, path string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.Admin+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Name, err)
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s: %s %s: %s: %.300s", p.Name, method, path, resp.Status, text)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s: %s %s: %w: %.300s", p.Name, method, path, err, text)
	}
	return nil
}

// OwnerOf returns the node that serves the most shards according to a gateway, and those shards.
func (t *Trial) OwnerOf(ctx context.Context) (node *process.Process, shards []int, err error) {
	all, err := Shards(ctx, t.Cluster.Gateways[0])
	if err != nil {
		return nil, nil, err
	}
	by := map[string][]int{}
	for _, s := range all {
		by[s.Owner] = append(by[s.Owner], s.Shard)
	}
	for _, p := range t.Cluster.Nodes {
		if p.Running() && len(by[p.Name]) > len(shards) {
			node, shards = p, by[p.Name]
		}
	}
	if node == nil {
		return nil, nil, fmt.Errorf("no node owns a shard: %v", by)
	}
	return node, shards, nil
}

// Settled waits until every shard is live at exactly the wanted number of nodes, none is loading,
// and every running process names the same owner.
func (t *Trial) Settled(ctx context.Context) error {
	return t.until(ctx, func() error { return t.settled(ctx) })
}

func (t *Trial) settled(ctx context.Context) error {
	var first []Shard
	nodes := 0
	for _, p := range t.Cluster.Nodes {
		if p.Running() {
			nodes++
		}
	}
	replicas := min(max(1, t.config.Cluster.Replicas), nodes)
	for _, p := range t.Cluster.All() {
		if !p.Running() {
			continue
		}
		shards, err := Shards(ctx, p)
		if err != nil {
			return err
		}
		if first == nil {
			first = shards
		}
		if len(shards) == 0 || len(shards) != len(first) {
			return fmt.Errorf("%s knows %d shards, another %d", p.Name, len(shards), len(first))
		}
		for i, s := range shards {
			if live := s.Live(); len(live) != replicas || len(s.Claims) != replicas || s.Owner == "" || s.Owner != first[i].Owner {
				return fmt.Errorf("%s says of shard %d: owner %q (another says %q), claims %v, ranked %v; want %d live ones",
					p.Name, s.Shard, s.Owner, first[i].Owner, s.Claims, s.Ranked, replicas)
			}
		}
	}
	return nil
}
