package broker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// Security holds our credentials for the broker, and the authorities that we trust.
type Security struct {
	Token     string // a bearer token; "": none
	TokenFile string // a file that holds a token, read again at each connect; not together with Token
	// a PEM file of the authorities that may sign the broker's certificate; "": the system's
	CA        string
	Cert, Key string // PEM files of a client certificate; "": none
}

// ReadToken returns the token. It reads TokenFile each time, and clients call it at each connect,
// so that the file may change.
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

// TLSConfig returns the configuration to dial with: at least TLS 1.2, the authorities and the
// certificate of s.
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
