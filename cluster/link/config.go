package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Config configures a Link.
type Config struct {
	Node      string // the node's name, the same over restarts; without "~" and "/"
	Cluster   string // peers of a cluster with another name are refused; empty is a name too
	Bind      string // host:port to listen on; port 0 takes a free one
	Advertise string // host:port at which others reach it; empty: the one it listens on

	// the zero value: no TLS, for one machine or a private network
	TLS     TLS
	Logger  *slog.Logger          // nil: slog.Default
	Metrics prometheus.Registerer // nil: no metrics

	Network Network // nil: TCP
}

// Network makes connections.
type Network interface {
	Listen(address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// tcp is the Network of real sockets.
type tcp struct{}

func (tcp) Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

func (tcp) Dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

// TLS names the files for mutual TLS 1.3: both sides show a certificate that the CA signed, and the
// name in it is checked against the host that was dialed.
type TLS struct {
	CA, Cert, Key string // PEM files; all three or none
}

const maxName = 100

// Validate returns everything that is wrong. It changes nothing.
func (c Config) Validate() error {
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("link: "+format, args...))
		}
	}
	refuse(c.Node == "", "no node name given")
	refuse(strings.ContainsAny(c.Node, separator+"/"), "node name %q has a %q or a slash: leave them out", c.Node, separator)
	refuse(len(c.Node) > maxName, "the node name has %d bytes, at most %d are allowed", len(c.Node), maxName)
	_, port, err := net.SplitHostPort(c.Bind)
	refuse(err != nil, "bind address %q is not host:port: %v", c.Bind, err)
	refuse(err == nil && !isPort(port), "port %q of bind address %q is not a number from 0 to 65535", port, c.Bind)
	if c.Advertise != "" {
		host, port, err := net.SplitHostPort(c.Advertise)
		refuse(err != nil, "advertised address %q is not host:port: %v", c.Advertise, err)
		refuse(err == nil && (host == "" || port == "0"), "advertised address %q lacks a host or a port that others can dial", c.Advertise)
	}
	some := c.TLS != TLS{}
	refuse(some && (c.TLS.CA == "" || c.TLS.Cert == "" || c.TLS.Key == ""), "TLS needs all of CA, certificate and key files, given are %q, %q, %q", c.TLS.CA, c.TLS.Cert, c.TLS.Key)
	return errors.Join(errs...)
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// load reads the files; it returns nil if none are given.
func (t TLS) load() (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("read the link's CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the link's CA: %s holds no certificate in PEM", t.CA)
	}
	if _, err := tls.LoadX509KeyPair(t.Cert, t.Key); err != nil {
		return nil, fmt.Errorf("read the link's certificate %s and key %s: %w", t.Cert, t.Key, err)
	}
	// Read again at each handshake, so that a certificate renewed on disk is used without a
	// restart.
	own := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		return &c, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs:  pool,
		RootCAs:    pool,

		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own() },
	}, nil
}
