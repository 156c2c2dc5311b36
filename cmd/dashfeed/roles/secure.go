package roles

import (
	"crypto/tls"
	"net"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/certs"
)

// secure holds the certificates of the addresses.
type secure struct{ public, admin listenerCerts }

// listenerCerts is the certificates of one address; none if it does not use TLS.
type listenerCerts struct{ *certs.Certs }

// config returns the configuration of TLS; nil without TLS.
func (c listenerCerts) config() *tls.Config {
	if c.Certs == nil {
		return nil
	}
	return c.Config()
}

// loadCerts reads the certificates of the addresses. A file that can't be used is a usage error.
// Later, one that has become bad is reported, and what was read before is used.
func (s *server) loadCerts(f PublicFlags, public bool, a AdminFlags) error {
	load := func(files certs.Files, name, flags string, into *listenerCerts) (err error) {
		if !files.Given() {
			return nil
		}
		if into.Certs, err = certs.Load(files, name, s.logger, s.metrics); err != nil {
			return usage("%s: %w", flags, err)
		}
		s.health.Expect("tls-" + name)
		s.health.Minor("tls-"+name, into.Err)
		return nil
	}
	if public {
		if err := load(f.publicFiles(), "public", "--tls-cert, --tls-key", &s.secure.public); err != nil {
			return err
		}
	}
	return load(a.adminFiles(), "admin", "--admin-tls-…", &s.secure.admin)
}

// addressOf returns the URL at which this machine reaches a listener.
func addressOf(l net.Listener, c listenerCerts) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme := "http://"
	if c.Certs != nil {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port)
}
