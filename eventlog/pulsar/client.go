package pulsar

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

const (
	connectTimeout = 3 * time.Second
	// bytes of payloads that wait for the broker's answer; Append blocks beyond that
	maxBufferedBytes  = 64 << 20
	maxPendingPerTask = 1000 // messages of one partition that wait likewise
)

// newClient returns a client of the broker.
func newClient(c Config, words *broker.Words) (pulsar.Client, error) {
	return broker.NewClient(broker.Options{
		URL: c.BrokerURL, Security: c.Security, Connect: connectTimeout, Answer: c.Timeout, Memory: maxBufferedBytes, Words: words,
	})
}

// checkReachable returns an error if nobody listens at the broker's address, or if TLS with it
// fails. The client would retry until its timeout and then say less.
func (c Config) checkReachable(ctx context.Context) error {
	config, err := c.Security.TLSConfig()
	if err != nil {
		return err
	}
	if _, err := c.Security.ReadToken(); err != nil {
		return err
	}
	scheme, hosts, _ := strings.Cut(c.BrokerURL, "://")
	var errs []error
	for host := range strings.SplitSeq(hosts, ",") {
		if err := dialBroker(ctx, host, scheme == "pulsar+ssl", config); err != nil {
			errs = append(errs, err)
			continue
		}
		return nil
	}
	return errors.Join(errs...)
}

func dialBroker(ctx context.Context, host string, secure bool, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if u, err := url.Parse("pulsar://" + host); err == nil && u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[bool]string{false: "6650", true: "6651"}[secure])
	}
	var d interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if secure {
		d = &tls.Dialer{Config: config}
	}
	conn, err := d.DialContext(ctx, "tcp", host)
	if err == nil {
		return conn.Close()
	}
	var opError *net.OpError
	switch {
	case errors.As(err, &opError) && opError.Op == "dial", errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("nobody listens at %s: is the broker up, and is its URL right? %w: %w", host, eventlog.ErrUnreachable, err)
	case secure:
		return fmt.Errorf("no TLS with %s: does the CA file name the authority that signed the broker's certificate, is the certificate for this host name, and does the broker want a client certificate? %w", host, err)
	}
	return err
}
