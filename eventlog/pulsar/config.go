package pulsar

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
	"github.com/dashfeed/dashfeed/messages"
)

// Config says where the broker is and how to use it.
type Config struct {
	BrokerURL string // pulsar://host:port[,host:port] or pulsar+ssl://…
	// http://host:port or https://…; "": no tenant can be added, and policies are not checked
	AdminURL string
	Cluster  string // names the cluster's guard: two clusters that share topics need two names
	Security Security
	// the cluster's keys, KeyBytes each: the first signs steering messages, all verify them; none:
	// nothing can be signed
	Keys [][]byte

	Timeout time.Duration // of one append, and of one request to the broker
	// entries of one call and one partition go as one message; false: each goes as its own message,
	// and they may be stored in part
	Packed        bool
	CompressBytes int           // packed messages of this size or more are compressed; 0: none is
	CheckEvery    time.Duration // how often policies are checked; 0: at Open only
	// reports whether this process checks policies: one process of a cluster is enough. Each
	// process checks whether its topics exist. nil: it does
	ChecksPolicies func() bool
	// this process, or another of the cluster, forwards the records of partitions that were added
	// to topics
	ForwardAdded bool
	// takes the changes of the cluster's settings, one after the other, in the same order in every
	// process: those that are stored before Open returns, the later ones as they come. nil: none
	Settings func(change []byte) error

	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: none
}

// Security holds our credentials for the broker, and the authorities that we trust.
type Security = broker.Security

// Default returns the configuration of a cluster named dashfeed, with timeouts of 10 s.
func Default(brokerURL, adminURL string) Config {
	return Config{
		BrokerURL: brokerURL, AdminURL: adminURL, Cluster: "dashfeed",
		Timeout: 10 * time.Second, Packed: true, CompressBytes: 16 << 10, CheckEvery: time.Minute,
	}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(!hasScheme(c.BrokerURL, "pulsar", "pulsar+ssl"), "broker URL %q is not allowed: pulsar://host:port or pulsar+ssl://host:port", c.BrokerURL)
	refuse(c.AdminURL != "" && !hasScheme(c.AdminURL, "http", "https"), "admin URL %q is not allowed: http://host:port or https://host:port", c.AdminURL)
	refuse(!messages.ValidName(c.Cluster) || strings.Contains(c.Cluster, "~"), "cluster name %q is not allowed: 1-%d bytes of A-Z a-z 0-9 . _ : -, beginning with a letter or digit", c.Cluster, messages.MaxNameBytes)
	refuse(c.Security.Token != "" && c.Security.TokenFile != "", "a token and a token file are given: give one")
	refuse((c.Security.Cert == "") != (c.Security.Key == ""), "a client certificate needs its key, and a key its certificate")
	refuse(len(c.Keys) > maxKeys, "%d cluster keys are not allowed: at most %d", len(c.Keys), maxKeys)
	for _, key := range c.Keys {
		refuse(len(key) != KeyBytes, "a cluster key of %d bytes is not allowed: %d", len(key), KeyBytes)
	}
	refuse(c.Timeout < time.Second, "timeout %v is not allowed: 1s or more", c.Timeout)
	refuse(c.CompressBytes < 0, "compression from %d bytes on is not allowed: 0 (none) or more", c.CompressBytes)
	refuse(c.CheckEvery < 0, "checks every %v are not allowed: 0 (at start only) or more", c.CheckEvery)
	return errors.Join(errs...)
}

func hasScheme(s string, schemes ...string) bool {
	first, _, _ := strings.Cut(s, ",")
	u, err := url.Parse(first)
	if err != nil || u.Host == "" {
		return false
	}
	for _, scheme := range schemes {
		if u.Scheme == scheme {
			return true
		}
	}
	return false
}
