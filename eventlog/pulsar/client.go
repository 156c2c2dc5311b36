package pulsar

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/backoff"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
)

const (
	keepAlive         = 5 * time.Second // a broker that says nothing twice as long is gone
	connectTimeout    = 3 * time.Second
	maxBufferedBytes  = 64 << 20 // of payloads that wait for the broker's answer; beyond, Append blocks
	maxPendingPerTask = 1000     // messages of one partition that wait likewise
)

// newClient makes a client of the broker. Producers and readers have one each: the bound on a client's memory, shared
// by both, can deadlock.
func newClient(c Config, said *lastWords) (pulsar.Client, error) {
	o := pulsar.ClientOptions{
		URL:               c.BrokerURL,
		ConnectionTimeout: connectTimeout,
		OperationTimeout:  c.Timeout,
		KeepAliveInterval: keepAlive,
		MemoryLimitBytes:  maxBufferedBytes,
		MetricsRegisterer: prometheus.NewRegistry(), // its own, and not shown: ours say what matters
		Logger:            log.NewLoggerWithSlog(slog.New(said)),

		TLSTrustCertsFilePath: c.Security.CA,
		TLSCertificateFile:    c.Security.Cert,
		TLSKeyFilePath:        c.Security.Key,
		TLSValidateHostname:   true,
	}
	switch {
	case c.Security.Token != "" || c.Security.TokenFile != "":
		o.Authentication = pulsar.NewAuthenticationTokenFromSupplier(c.Security.ReadToken)
	case c.Security.Cert != "":
		o.Authentication = pulsar.NewAuthenticationTLS(c.Security.Cert, c.Security.Key)
	}
	return pulsar.NewClient(o)
}

// ReadToken is the token, read again where it lies in a file: clients ask at each connect, so that the file may change.
func (s Security) ReadToken() (string, error) {
	if s.TokenFile == "" {
		return s.Token, nil
	}
	text, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// TLSConfig is what to dial with: at least TLS 1.2, the authorities and the certificate of s.
func (s Security) TLSConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		text, err := os.ReadFile(s.CA)
		if err != nil {
			return nil, fmt.Errorf("read the authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in PEM", s.CA)
		}
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// knock tells whether somebody listens at the broker's address, and over TLS whether it is somebody we believe. The
// client would try again until its timeout and then say less.
func (c Config) knock(ctx context.Context) error {
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
		if err := knock(ctx, host, scheme == "pulsar+ssl", config); err != nil {
			errs = append(errs, err)
			continue
		}
		return nil
	}
	return errors.Join(errs...)
}

func knock(ctx context.Context, host string, secure bool, config *tls.Config) error {
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

// lastWords is the client's log: all of it goes to debug, since its errors come back to us as well, and the newest
// complaint is kept, for it often says more than the error.
type lastWords struct {
	slog.Handler
	newest *atomic.Pointer[string]
}

func newLastWords(l *slog.Logger) *lastWords {
	return &lastWords{l.Handler(), &atomic.Pointer[string]{}}
}

// Enabled takes complaints however much the logger below wants.
func (h *lastWords) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h *lastWords) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		text := r.Message
		r.Attrs(func(a slog.Attr) bool {
			if a.Key == "error" {
				text += ": " + a.Value.String()
			}
			return true
		})
		h.newest.Store(&text)
	}
	if !h.Handler.Enabled(ctx, slog.LevelDebug) {
		return nil
	}
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h *lastWords) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if a.Key == "error" {
			text := a.Value.String()
			h.newest.Store(&text)
		}
	}
	return &lastWords{h.Handler.WithAttrs(attrs), h.newest}
}

func (h *lastWords) WithGroup(name string) slog.Handler {
	return &lastWords{h.Handler.WithGroup(name), h.newest}
}

// String is the newest complaint.
func (h *lastWords) String() string {
	if s := h.newest.Load(); s != nil {
		return *s
	}
	return "nothing"
}

// backoffPolicy tries again after 50 ms, and at least once a second: the client's own grows to a minute.
type backoffPolicy struct{ wait time.Duration }

const (
	leastWait = 50 * time.Millisecond
	mostWait  = time.Second
)

func newBackoff() backoff.Policy { return &backoffPolicy{} }

func (b *backoffPolicy) Next() time.Duration {
	b.wait = min(max(2*b.wait, leastWait), mostWait)
	return b.wait - rand.N(b.wait/4)
}

func (b *backoffPolicy) IsMaxBackoffReached() bool { return b.wait >= mostWait }
func (b *backoffPolicy) Reset()                    { b.wait = 0 }
