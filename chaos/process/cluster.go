package process

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ClusterConfig says what to start. Zero values get the defaults named here.
type ClusterConfig struct {
	Binary   string
	Dir      string  // logs, scratch stores and Pulsar's data; the caller deletes it
	Nodes    int     // 0: 3
	Gateways int     // 0: 2
	Pulsar   *Pulsar // nil: the cluster starts its own, which Stop ends
	Broker   string  // settings of its own Pulsar: key=value, separated by newlines

	Tenants     string // 0: default=8
	Checkpoints string // 0: pulsar
	Definitions string // the gateways apply them; "": none
	Replicas    int    // 0: 1

	Args []string                   // for all processes
	Of   func(name string) []string // more arguments of one process; nil: none
	Host func(name string) string   // address that a process, or "pulsar", listens on; nil: 127.0.0.1
	// Prefix returns the command that runs a process, or "pulsar", such as ip netns exec …; nil:
	// none
	Prefix func(name string) []string
}

// Cluster is a running cluster with nodes "node-1" … and gateways "gateway-1" …. One goroutine uses
// it, except that Start and Stop start and stop processes concurrently.
type Cluster struct {
	Pulsar   *Pulsar
	Nodes    []*Process
	Gateways []*Process
	Key      []byte // the cluster key that all processes sign with

	config ClusterConfig
	ours   bool // Stop ends Pulsar too
	logs   []*os.File
}

// StartCluster starts a cluster and returns when every process is ready.
func StartCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	c, err := NewCluster(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := c.Start(ctx); err != nil {
		return nil, errors.Join(err, c.Logs(os.Stderr, 30), c.Stop())
	}
	return c, nil
}

// NewCluster starts Pulsar, unless one is given, and chooses every address. It starts no process of
// the cluster.
func NewCluster(ctx context.Context, config ClusterConfig) (*Cluster, error) {
	c := &Cluster{config: config.withDefaults(), Pulsar: config.Pulsar, Key: make([]byte, 32)}
	rand.Read(c.Key)
	if c.Pulsar == nil {
		var err error
		if c.Pulsar, err = StartPulsar(ctx, c.config.pulsar()); err != nil {
			return nil, err
		}
		c.ours = true
	}
	if err := c.layOut(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c ClusterConfig) withDefaults() ClusterConfig {
	orInt := func(n *int, d int) {
		if *n == 0 {
			*n = d
		}
	}
	or := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	orInt(&c.Nodes, 3)
	orInt(&c.Gateways, 2)
	orInt(&c.Replicas, 1)
	or(&c.Tenants, "default=8")
	or(&c.Checkpoints, "pulsar")
	return c
}

// pulsar returns the configuration of the cluster's own Pulsar.
func (c *ClusterConfig) pulsar() PulsarConfig {
	p := PulsarConfig{Dir: filepath.Join(c.Dir, pulsarName), Log: os.Stderr}
	if c.Host != nil {
		p.Host = c.Host(pulsarName)
	}
	if c.Prefix != nil {
		p.Prefix = c.Prefix(pulsarName)
	}
	if c.Broker != "" {
		p.Env = []string{"PULSAR_CONF=" + c.Broker}
	}
	return p
}

// layOut chooses names and addresses; every process joins the first two nodes.
func (c *Cluster) layOut() error {
	key := base64.StdEncoding.EncodeToString(c.Key) + "\n"
	if err := os.WriteFile(c.keyPath(), []byte(key), 0o600); err != nil {
		return err
	}
	type member struct{ name, host, gossip, link string }
	var members []member
	for i := range c.config.Nodes + c.config.Gateways {
		name := fmt.Sprintf("node-%d", i+1)
		if i >= c.config.Nodes {
			name = fmt.Sprintf("gateway-%d", i-c.config.Nodes+1)
		}
		host := "127.0.0.1"
		if c.config.Host != nil {
			host = c.config.Host(name)
		}
		ports, err := freePorts(2)
		if err != nil {
			return err
		}
		members = append(members, member{name, host, fmt.Sprintf("%s:%d", host, ports[0]), fmt.Sprintf("%s:%d", host, ports[1])})
	}
	var join []string
	for _, s := range members[:min(2, c.config.Nodes)] {
		join = append(join, s.gossip)
	}
	for i, s := range members {
		args := []string{"--node", s.name, "--gossip", s.gossip, "--link", s.link, "--join", strings.Join(join, ",")}
		if err := c.add(s.name, s.host, i < c.config.Nodes, args); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) keyPath() string { return filepath.Join(c.config.Dir, "cluster.key") }

// add makes one process of the cluster.
func (c *Cluster) add(name, host string, node bool, args []string) error {
	log, err := os.OpenFile(c.logPath(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	c.logs = append(c.logs, log)
	args = append(args,
		"--pulsar", c.Pulsar.URL, "--pulsar-admin", c.Pulsar.Admin, "--cluster", "test", "--gossip-preset", "local", "--cluster-key", c.keyPath(),
		"--tenants", c.config.Tenants)
	config := Config{Binary: c.config.Binary, Name: name, Command: "gateway", Host: host, Log: log}
	if node {
		config.Command, config.Private = "node", true
		args = append(args, "--checkpoints", c.config.Checkpoints, "--scratch", filepath.Join(c.config.Dir, name),
			"--replicas", fmt.Sprint(c.config.Replicas))
	} else if c.config.Definitions != "" {
		args = append(args, "--definitions", c.config.Definitions)
	}
	config.Args = slices.Concat(args, c.config.Args)
	if c.config.Of != nil {
		config.Args = append(config.Args, c.config.Of(name)...)
	}
	if c.config.Prefix != nil {
		config.Prefix = c.config.Prefix(name)
	}
	p, err := New(config)
	if err != nil {
		return err
	}
	if node {
		c.Nodes = append(c.Nodes, p)
	} else {
		c.Gateways = append(c.Gateways, p)
	}
	return nil
}

// Start starts every process that does not run, and returns when all are ready.
func (c *Cluster) Start(ctx context.Context) error {
	return each(c.All(), func(p *Process) error {
		if p.Running() {
			return nil
		}
		return p.Start(ctx)
	})
}

// All returns the nodes, then the gateways.
func (c *Cluster) All() []*Process { return slices.Concat(c.Nodes, c.Gateways) }

// Process returns the process of that name, such as node-2, or nil.
func (c *Cluster) Process(name string) *Process {
	for _, p := range c.All() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// URLs returns the public addresses of the gateways.
func (c *Cluster) URLs() []string {
	var urls []string
	for _, p := range c.Gateways {
		urls = append(urls, p.URL)
	}
	return urls
}

// Ready waits until every running process is ready. Its error names one that is not, and why.
func (c *Cluster) Ready(ctx context.Context) error {
	return each(c.All(), func(p *Process) error {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for p.Running() && !p.Ready() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready: %s", p.Name, p.Health())
			}
		}
		return nil
	})
}

// Restart stops one process in good order and starts it again.
func (c *Cluster) Restart(ctx context.Context, p *Process) error {
	if err := p.Stop(); err != nil {
		return fmt.Errorf("restart %s: %w", p.Name, err)
	}
	return p.Start(ctx)
}

// Logs writes the last lines of each process's log, for a failed test. Dir/NAME.log has the whole
// log.
func (c *Cluster) Logs(w io.Writer, lines int) error {
	var errs []error
	for _, p := range c.All() {
		b, err := os.ReadFile(c.logPath(p.Name))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all := strings.Split(strings.TrimSpace(string(b)), "\n")
		fmt.Fprintf(w, "--- %s\n%s\n", p.Name, strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return errors.Join(errs...)
}

// Stop stops the gateways, then the nodes, then Pulsar if the cluster started it. It resumes paused
// processes first.
func (c *Cluster) Stop() error {
	stop := func(p *Process) error {
		if !p.Running() {
			return nil
		}
		if err := errors.Join(p.Resume(), p.Stop()); err != nil {
			return fmt.Errorf("stop %s: %w", p.Name, err)
		}
		return nil
	}
	errs := []error{each(c.Gateways, stop), each(c.Nodes, stop)}
	if c.ours {
		errs = append(errs, c.Pulsar.Stop())
	}
	for _, log := range c.logs {
		errs = append(errs, log.Close())
	}
	return errors.Join(errs...)
}

func (c *Cluster) logPath(name string) string { return filepath.Join(c.config.Dir, name+".log") }

// each calls do for all processes concurrently.
func each(list []*Process, do func(*Process) error) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, p := range list {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
