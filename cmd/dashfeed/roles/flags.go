package roles

import (
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/certs"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/gateway/token"
)

// PublicFlags say where the public is served, and who may connect.
type PublicFlags struct {
	Listen         string   `help:"Public address: events, dashboards, WebSockets." default:"127.0.0.1:8080" placeholder:"ADDR" group:"Server"`
	Origins        []string `help:"Further origins from which browsers may connect, such as https://dash.example.com." placeholder:"ORIGIN" group:"Server"`
	Hosts          []string `help:"Further host names accepted at both addresses, besides IP addresses, localhost and those of --origins." placeholder:"NAME" group:"Server"`
	TrustedProxies []string `help:"Networks of proxies, such as 10.0.0.0/8, whose X-Forwarded-For names the client." placeholder:"NETWORK" group:"Server"`
	Limit          []string `help:"Limits that differ from the defaults, such as events=5000 or subject-bytes=none; docs/LIMITS.md lists them." placeholder:"NAME=VALUE" group:"Server"`
	TLSCert        string   `name:"tls-cert" help:"Certificate (PEM) of the public address, with those between it and its CA. With tls-key, it uses TLS; both files are read again when they change." placeholder:"FILE" group:"Server"`
	TLSKey         string   `name:"tls-key" help:"Its key (PEM)." placeholder:"FILE" group:"Server"`
	FrameAncestors []string `help:"Origins whose pages may show the page in a frame. Without it: none." placeholder:"ORIGIN" group:"Server"`
	Insecure       bool     `help:"Listen on addresses that other machines can reach, although nothing there authenticates clients." group:"Server"`

	Auth token.Config `kong:"-"` // whose tokens are trusted; without keys everybody may do everything
}

// AdminFlags say where and how the admin listener serves.
type AdminFlags struct {
	Admin         string `help:"Admin address: health, metrics, profiles, the cluster's commands." default:"127.0.0.1:9090" placeholder:"ADDR" group:"Server"`
	AdminTLSCert  string `name:"admin-tls-cert" help:"Certificate (PEM) of the admin address. With admin-tls-key, it uses TLS." placeholder:"FILE" group:"Server"`
	AdminTLSKey   string `name:"admin-tls-key" help:"Its key (PEM)." placeholder:"FILE" group:"Server"`
	AdminClientCA string `name:"admin-client-ca" help:"Certificates (PEM) of the CAs that sign operators' certificates. With it, the admin address serves those only; health is for all." placeholder:"FILE" group:"Server"`
	LogLevel      string `help:"Lowest level that is logged on stderr: debug, info, warn, error." enum:"debug,info,warn,error" default:"info" group:"Server"`
}

// StorageFlags say where the log is stored and how much of it is kept.
type StorageFlags struct {
	Data           string        `help:"Data directory: the log and the checkpoints." default:"data" placeholder:"DIR" group:"Storage"`
	Partitions     int           `help:"Partitions of a new log; they can't be changed later. 0: as stored, 8 for a new log." default:"0" group:"Storage"`
	RetentionAge   time.Duration `help:"How long records are kept, if there is room." default:"24h" placeholder:"DURATION" group:"Storage"`
	RetentionBytes Size          `help:"About the largest size of the log." default:"1GiB" placeholder:"SIZE" group:"Storage"`
	ReserveFlag
}

// ReserveFlag says how much of a disk stays free.
type ReserveFlag struct {
	Reserve Size `help:"Free disk space below which nothing is written. 0: 256MiB, or 5% of a smaller volume." default:"0" placeholder:"SIZE" group:"Storage"`
}

// DashboardFlags say how dashboards are served.
type DashboardFlags struct {
	Definitions string        `help:"Definitions to apply at start: a file, or a directory of YAML files." placeholder:"PATH" group:"Dashboards"`
	Flush       time.Duration `help:"Shortest time between two updates to viewers, 0-100ms. The first after a quiet time is sent at once." default:"5ms" placeholder:"DURATION" group:"Dashboards"`
	Checkpoint  time.Duration `help:"How often a shard's state is saved." default:"5s" placeholder:"DURATION" group:"Dashboards"`
	Sleep       time.Duration `help:"A dashboard leaves memory after this time without events and viewers." default:"60s" placeholder:"DURATION" group:"Dashboards"`
}

// ServerFlags holds the flags of run and demo.
type ServerFlags struct {
	PublicFlags
	AdminFlags
	StorageFlags
	DashboardFlags
}

// Check checks what kong's types cannot.
func (f *ServerFlags) Check() error {
	wrong := append(f.StorageFlags.wrong(), f.DashboardFlags.wrong()...)
	wrong = append(wrong, f.AdminFlags.wrong()...)
	return refusals(append(wrong, f.PublicFlags.wrong(f.public(), f.AdminFlags.address())...))
}

// public returns the public address. Tokens authenticate its clients, if there are keys for them.
func (f *PublicFlags) public() address {
	return address{flag: "listen", at: f.Listen, guard: "auth in the configuration file", guarded: len(f.Auth.Keys) > 0}
}

// publicFiles names the certificates of the public address.
func (f *PublicFlags) publicFiles() certs.Files { return certs.Files{Cert: f.TLSCert, Key: f.TLSKey} }

// adminFiles names the certificates of the admin address.
func (f *AdminFlags) adminFiles() certs.Files {
	return certs.Files{Cert: f.AdminTLSCert, Key: f.AdminTLSKey, ClientCA: f.AdminClientCA}
}

// address returns the admin address. Operators' certificates guard it.
func (f *AdminFlags) address() address {
	return address{"admin", f.Admin, "--admin-tls-cert, --admin-tls-key and --admin-client-ca", f.AdminClientCA != ""}
}

func (f *AdminFlags) wrong() []error { return []error{f.adminFiles().Check("admin-")} }

func (f *StorageFlags) wrong() (errs []error) {
	if f.Partitions < 0 || f.Partitions > 1024 {
		errs = append(errs, fmt.Errorf("partitions %d is not allowed: 1 to 1024, or 0 for as many as stored", f.Partitions))
	}
	if f.RetentionAge <= 0 {
		errs = append(errs, fmt.Errorf("retention-age %s is not allowed: it must be above 0", f.RetentionAge))
	}
	if f.Data == "" {
		errs = append(errs, errors.New("data is empty: name a directory"))
	}
	return errs
}

func (f *DashboardFlags) wrong() (errs []error) {
	if f.Flush < 0 || f.Flush > 100*time.Millisecond {
		errs = append(errs, fmt.Errorf("flush %s is not allowed: 0 to 100ms", f.Flush))
	}
	if f.Checkpoint <= 0 {
		errs = append(errs, fmt.Errorf("checkpoint %s is not allowed: it must be above 0", f.Checkpoint))
	}
	if f.Sleep <= 0 {
		errs = append(errs, fmt.Errorf("sleep %s is not allowed: it must be above 0", f.Sleep))
	}
	return errs
}

// Sources reads the definitions that --definitions names.
func (f *DashboardFlags) Sources() ([]source.Item, error) {
	if f.Definitions == "" {
		return nil, nil
	}
	sources, err := source.Read(f.Definitions)
	var problems definition.Problems
	if errors.As(err, &problems) {
		return nil, usageOf(problems)
	}
	if err != nil {
		return nil, usage("definitions: %w", err)
	}
	return sources, nil
}
