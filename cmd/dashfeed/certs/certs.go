// Package certs keeps the certificates of a listener: it reads them from files, and reads them
// again when the files change.
package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Files names the files of a listener's certificates, all in PEM.
type Files struct {
	Cert     string // the certificate, followed by those between it and its CA
	Key      string // its private key
	ClientCA string // certificates of the CAs that sign clients' certificates; "": clients have none
}

// Given reports whether the listener uses TLS.
func (f Files) Given() bool { return f != Files{} }

// Check returns an error if a file is missing that another one needs. The errors name the flags,
// each of which begins with prefix.
func (f Files) Check(prefix string) error {
	if !f.Given() || f.Cert != "" && f.Key != "" {
		return nil
	}
	return fmt.Errorf("--%[1]stls-cert %[2]q, --%[1]stls-key %[3]q: TLS needs both", prefix, f.Cert, f.Key)
}

// lookEvery is how often the files are read again, at most. They are read, and not watched: some
// are replaced by renaming a directory above them, which no watch of the file itself would see.
const lookEvery = time.Second

// Certs is the certificates of one listener. Handshakes and scrapes make it look at the files.
type Certs struct {
	files  Files
	name   string // of the listener, in logs
	logger *slog.Logger
	now    func() time.Time

	current atomic.Pointer[loaded]
	reloads *prometheus.CounterVec

	mu     sync.Mutex
	looked time.Time
	tried  [][]byte // the contents that were last read, good or bad
	err    error    // why they are not used; nil: they are
}

// loaded is what was read from the files.
type loaded struct {
	config  *tls.Config
	expires time.Time
}

// Load reads the files. name is the listener's, in logs and metrics.
func Load(files Files, name string, logger *slog.Logger, metrics prometheus.Registerer) (*Certs, error) {
	c := &Certs{files: files, name: name, logger: logger, now: time.Now}
	contents, err := files.read()
	if err != nil {
		return nil, err
	}
	l, err := files.parse(contents)
	if err != nil {
		return nil, err
	}
	c.tried, c.looked = contents, c.now()
	c.current.Store(l)
	if !c.now().Before(l.expires) {
		logger.Warn("the certificate has expired: clients refuse it", "listener", name, "file", files.Cert, "expired", l.expires)
	}
	return c, c.register(metrics)
}

// Config returns the configuration for a server. Each handshake uses what the files last held that
// could be used.
func (c *Certs) Config() *tls.Config {
	config := c.current.Load().config.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c.look()
		return c.current.Load().config, nil
	}
	return config
}

// look reads the files if the last time is long enough ago, and uses them if they have changed and
// are good. While one goroutine reads, the others do not wait for it.
func (c *Certs) look() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return
	}
	c.looked = now
	contents, err := c.files.read()
	if err == nil && same(contents, c.tried) {
		return
	}
	c.tried = contents
	l := (*loaded)(nil)
	if err == nil {
		l, err = c.files.parse(contents)
	}
	if err == nil && !now.Before(l.expires) {
		err = fmt.Errorf("%s: the certificate has expired at %s", c.files.Cert, l.expires.Format(time.RFC3339))
	}
	before := c.err
	if c.err = err; err == nil {
		c.current.Store(l)
		c.reloads.WithLabelValues("ok").Inc()
		c.logger.Info("certificates were read again", "listener", c.name, "file", c.files.Cert, "expires", l.expires)
		return
	}
	c.reloads.WithLabelValues("failed").Inc()
	if before == nil || before.Error() != err.Error() {
		c.logger.Error("certificates can't be read again; those of before are used", "listener", c.name, "error", err)
	}
}

// Err returns why the files, as they are now, are not used; nil if they are.
func (c *Certs) Err() error {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func same(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// read returns the contents of the files: certificate, key, and the clients' CA if there is one.
func (f Files) read() (contents [][]byte, err error) {
	names := []string{f.Cert, f.Key}
	if f.ClientCA != "" {
		names = append(names, f.ClientCA)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read certificates: %w", err)
		}
		contents = append(contents, b)
	}
	return contents, nil
}

// parse makes the configuration of the contents. Clients of TLS 1.0 and 1.1 are refused.
func (f Files) parse(contents [][]byte) (*loaded, error) {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s and key %s: %w", f.Cert, f.Key, err)
	}
	l := &loaded{expires: pair.Leaf.NotAfter, config: &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
	}}
	if f.ClientCA == "" {
		return l, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(contents[2]) {
		return nil, fmt.Errorf("clients' CA: %s holds no certificate in PEM", f.ClientCA)
	}
	// A client may come without certificate, since a balancer that checks health has none. A resumed
	// session would keep the rights of a CA that is no longer in the file.
	l.config.ClientAuth, l.config.ClientCAs, l.config.SessionTicketsDisabled = tls.VerifyClientCertIfGiven, pool, true
	return l, nil
}

// register adds the metrics.
func (c *Certs) register(r prometheus.Registerer) error {
	listener := prometheus.Labels{"listener": c.name}
	c.reloads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dashfeed_tls_reloads_total", Help: "Changed certificates that were read again, by result: ok, or failed and not used.", ConstLabels: listener,
	}, []string{"result"})
	c.reloads.WithLabelValues("ok")
	c.reloads.WithLabelValues("failed")
	expires := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dashfeed_tls_expires_timestamp_seconds", Help: "When the certificate that is used expires.", ConstLabels: listener,
	}, func() float64 {
		c.look()
		return float64(c.current.Load().expires.Unix())
	})
	return errors.Join(r.Register(c.reloads), r.Register(expires))
}
