package roles

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/blob"
	"github.com/dashfeed/dashfeed/messages"
)

// PulsarFlags say where the log is and how we authenticate to it.
type PulsarFlags struct {
	Pulsar          string   `help:"Pulsar's brokers: pulsar://HOST:PORT or pulsar+ssl://HOST:PORT." default:"pulsar://127.0.0.1:6650" placeholder:"URL" group:"Pulsar"`
	PulsarAdmin     string   `help:"Pulsar's admin API: http://HOST:PORT or https://HOST:PORT." default:"http://127.0.0.1:6651" placeholder:"URL" group:"Pulsar"`
	PulsarToken     string   `help:"Token sent to Pulsar." placeholder:"TOKEN" group:"Pulsar"`
	PulsarTokenFile string   `help:"File with the token, read again for each connection." placeholder:"FILE" group:"Pulsar"`
	PulsarCA        string   `name:"pulsar-ca" help:"Certificates (PEM) of Pulsar's CA. Without it: the system's." placeholder:"FILE" group:"Pulsar"`
	PulsarCert      string   `help:"Client certificate (PEM), if Pulsar asks for one." placeholder:"FILE" group:"Pulsar"`
	PulsarKey       string   `help:"Its key (PEM)." placeholder:"FILE" group:"Pulsar"`
	Tenants         []string `help:"Tenants to create if they are missing: NAME=PARTITIONS, or NAME=PARTITIONS:ticks if the broker gives no time." placeholder:"TENANT" group:"Pulsar"`
}

// GossipFlags say which cluster this process belongs to and how it finds the others.
type GossipFlags struct {
	Cluster         string   `help:"Name of the cluster. Clusters with different names ignore each other and may share a Pulsar." default:"dashfeed" placeholder:"NAME" group:"Cluster"`
	Node            string   `help:"Name of this process in the cluster. Without it: the host's name." placeholder:"NAME" group:"Cluster"`
	Gossip          string   `help:"Address for gossip, TCP and UDP." default:"127.0.0.1:7946" placeholder:"ADDR" group:"Cluster"`
	GossipAdvertise string   `help:"Address at which others reach it, if that differs." placeholder:"ADDR" group:"Cluster"`
	Join            []string `help:"Gossip addresses of some members. They are tried repeatedly, so the order of starting does not matter." placeholder:"ADDR" group:"Cluster"`
	GossipKey       string   `help:"File with the gossip's keys, base64 of 16, 24 or 32 bytes, one per line. All are accepted, the first encrypts." placeholder:"FILE" group:"Cluster"`
	ClusterKey      string   `help:"File with the cluster's keys, base64 of 32 bytes, one per line. The first signs control records, all verify them. All processes have the same file; a node with --gateway and without --join creates a missing one." default:"cluster.key" placeholder:"FILE" group:"Cluster"`
	GossipPreset    string   `help:"How soon a silent member counts as gone: lan or local." enum:"lan,local" default:"lan" group:"Cluster"`
	Link            string   `help:"Address for the traffic between nodes and gateways, TCP." default:"127.0.0.1:7947" placeholder:"ADDR" group:"Cluster"`
	LinkAdvertise   string   `help:"Address at which others reach it, if that differs." placeholder:"ADDR" group:"Cluster"`
	LinkCA          string   `name:"link-ca" help:"Certificates (PEM) of the members' CA. With it, link-cert and link-key, the link uses mutual TLS." placeholder:"FILE" group:"Cluster"`
	LinkCert        string   `help:"Certificate (PEM) of this process on the link." placeholder:"FILE" group:"Cluster"`
	LinkKey         string   `help:"Its key (PEM)." placeholder:"FILE" group:"Cluster"`

	Drain time.Duration `help:"How long a stopping node may take to hand over its shards, and a gateway to send its sessions away. A second signal ends it at once." default:"30s" placeholder:"DURATION" group:"Cluster"`
}

// ShardFlags say how a node holds shards.
type ShardFlags struct {
	Weight      int    `help:"Share of the shards, relative to other nodes." default:"1" group:"Shards"`
	Replicas    int    `help:"Nodes that fold each shard. 2 keeps a standby that takes over at once." default:"1" group:"Shards"`
	Checkpoints string `help:"Where all nodes find checkpoints: pulsar, file:///DIR, s3://BUCKET?region=REGION, or another that dashfeed version lists" default:"pulsar" placeholder:"WHERE" group:"Shards"`
	Scratch     string `help:"Directory for this process's own copy of the checkpoints. It may be deleted between runs." default:"scratch" placeholder:"DIR" group:"Shards"`
}

func (f *PulsarFlags) wrong() (errs []error) {
	errs = append(errs, wrongBrokers("pulsar", f.Pulsar, "pulsar", "pulsar+ssl"), wrongURL("pulsar-admin", f.PulsarAdmin, "http", "https"))
	if f.PulsarToken != "" && f.PulsarTokenFile != "" {
		errs = append(errs, errors.New("pulsar-token and pulsar-token-file are given: give one"))
	}
	if (f.PulsarCert == "") != (f.PulsarKey == "") {
		errs = append(errs, errors.New("pulsar-cert and pulsar-key go together: one is missing"))
	}
	for name, file := range map[string]string{"pulsar-token-file": f.PulsarTokenFile, "pulsar-ca": f.PulsarCA, "pulsar-cert": f.PulsarCert, "pulsar-key": f.PulsarKey} {
		errs = append(errs, wrongFile(name, file))
	}
	_, err := tenantsOf(f.Tenants)
	return append(errs, err)
}

func (f *GossipFlags) wrong() (errs []error) {
	if err := messages.CheckName("cluster", f.Cluster); err != nil {
		errs = append(errs, err)
	}
	for flag, at := range map[string]string{"gossip-advertise": f.GossipAdvertise, "link-advertise": f.LinkAdvertise} {
		if at != "" {
			errs = append(errs, wrongAddress(flag, at))
		}
	}
	if host, _, err := net.SplitHostPort(f.Link); err == nil && f.LinkAdvertise == "" && (host == "" || net.ParseIP(host).IsUnspecified()) {
		errs = append(errs, fmt.Errorf("link %q names every address of this machine, and other members can't dial that: also give link-advertise", f.Link))
	}
	for _, a := range f.Join {
		errs = append(errs, wrongAddress("join", a))
	}
	given := 0
	for name, file := range map[string]string{"link-ca": f.LinkCA, "link-cert": f.LinkCert, "link-key": f.LinkKey} {
		if file != "" {
			given++
		}
		errs = append(errs, wrongFile(name, file))
	}
	if given != 0 && given != 3 {
		errs = append(errs, errors.New("link-ca, link-cert and link-key go together: give all three, or none for a link without TLS"))
	}
	if f.Drain < 0 {
		errs = append(errs, fmt.Errorf("drain %s is not allowed: 0 or more", f.Drain))
	}
	_, err := keys.Gossip(f.GossipKey)
	return append(errs, err)
}

func (f *ShardFlags) wrong() (errs []error) {
	if f.Weight < 1 || f.Weight > 1000 {
		errs = append(errs, fmt.Errorf("weight %d is not allowed: 1 to 1000", f.Weight))
	}
	if f.Replicas < 1 || f.Replicas > 3 {
		errs = append(errs, fmt.Errorf("replicas %d is not allowed: 1 to 3", f.Replicas))
	}
	if f.Scratch == "" {
		errs = append(errs, errors.New("scratch is empty: name a directory"))
	}
	if f.Checkpoints != "pulsar" {
		if err := blob.CheckURL(f.Checkpoints); err != nil {
			errs = append(errs, fmt.Errorf("checkpoints: %w; or `pulsar`", err))
		}
	}
	return errs
}

// tenantFlag is one tenant of --tenants.
type tenantFlag struct {
	name       string
	partitions int
	ticks      bool // ticks move log time: the broker stamps no time
}

func tenantsOf(list []string) ([]tenantFlag, error) {
	var tenants []tenantFlag
	var errs []error
	for _, text := range list {
		name, rest, ok := strings.Cut(text, "=")
		number, clock, timed := strings.Cut(rest, ":")
		n, err := strconv.Atoi(number)
		switch {
		case !ok, err != nil, timed && clock != "ticks" && clock != "broker":
			errs = append(errs, fmt.Errorf("tenants: %q is not allowed: want NAME=PARTITIONS, NAME=PARTITIONS:broker or NAME=PARTITIONS:ticks", text))
		case n < 1 || n > 1024:
			errs = append(errs, fmt.Errorf("tenants: %d partitions of %s are not allowed: 1 to 1024", n, name))
		default:
			if err := messages.CheckName("tenant", name); err != nil {
				errs = append(errs, fmt.Errorf("tenants: %w", err))
			}
			tenants = append(tenants, tenantFlag{name, n, clock == "ticks"})
		}
	}
	return tenants, errors.Join(errs...)
}

func wrongURL(flag, text string, schemes ...string) error {
	u, err := url.Parse(text)
	if err == nil && slices.Contains(schemes, u.Scheme) && (goodHost(u.Host) || u.Scheme == "file" && u.Path != "") {
		return nil
	}
	return fmt.Errorf("%s %q is not allowed: want %s://…", flag, text, strings.Join(schemes, "://… or "))
}

// wrongBrokers is wrongURL for a URL that may name several brokers: pulsar://HOST:PORT,HOST:PORT.
func wrongBrokers(flag, text string, schemes ...string) error {
	first, others, several := strings.Cut(text, ",")
	err := wrongURL(flag, first, schemes...)
	for several && err == nil {
		var at string
		if at, others, several = strings.Cut(others, ","); !goodHost(at) {
			return fmt.Errorf("%s %q is not allowed: %q is not HOST:PORT", flag, text, at)
		}
	}
	return err
}

// goodHost reports whether a text is HOST or HOST:PORT, as in a URL.
func goodHost(text string) bool {
	if u := (&url.URL{Host: text}); u.Hostname() == "" || strings.ContainsAny(text, "/@ ") {
		return false
	}
	_, port, err := net.SplitHostPort(text)
	return err != nil || port != "" && wrongAddress("", text) == nil
}

func wrongFile(flag, path string) error {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	return f.Close()
}
