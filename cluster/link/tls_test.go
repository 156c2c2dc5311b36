package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = issue(t, a.dir, "ca", nil)
	return a
}

// files gives a node its own certificate.
func (a *authority) files(t *testing.T, name string) func(*Config) {
	issue(t, a.dir, name, a)
	in := func(n string) string { return filepath.Join(a.dir, n) }
	return func(c *Config) { c.TLS = TLS{CA: in("ca.crt"), Cert: in(name + ".crt"), Key: in(name + ".key")} }
}

func issue(t *testing.T, dir, name string, by *authority) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, IsCA: by == nil, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLSIsMutual(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	logged := func(log *lockedBuffer) func(*Config) {
		return func(c *Config) {
			c.Logger = slog.New(slog.NewTextHandler(log, nil))
		}
	}
	for name, c := range map[string]struct {
		change      func(*Config)
		here, there string // what each end logs
	}{
		"without TLS":             {func(*Config) {}, "does not look like a TLS handshake", "check that both use TLS or neither does"},
		"of another authority":    {others.files(t, "d"), "bad certificate", "signed by unknown authority"},
		"that claims our CA only": {func(c *Config) { others.files(t, "e")(c); c.TLS.CA = filepath.Join(ours.dir, "ca.crt") }, "signed by unknown authority", "unknown certificate authority"},
	} {
		t.Run(name, func(t *testing.T) {
			var here, there lockedBuffer
			a := listen(t, "a", "127.0.0.1:0", ours.files(t, "a"), logged(&here)).start(t)
			b := listen(t, "b", "127.0.0.1:0", ours.files(t, "b")).start(t)
			until(t, a, b)
			stranger := listen(t, "c", "127.0.0.1:0", c.change, logged(&there)).start(t)
			for range 4 {
				stranger.Beat(a.Self(), []byte("let me in"))
				until(t, b, a) // is accepted meanwhile
			}
			for start := time.Now(); !strings.Contains(here.String(), c.here) || !strings.Contains(there.String(), c.there); time.Sleep(10 * time.Millisecond) {
				stranger.Beat(a.Self(), []byte("let me in"))
				if time.Since(start) > 10*time.Second {
					t.Fatalf("here %q, want %q\nthere %q, want %q", here.String(), c.here, there.String(), c.there)
				}
			}
			for len(a.box) > 0 {
				if m := <-a.box; m.body == "let me in" {
					t.Error("the refused node was heard")
				}
			}
			if testutil.ToFloat64(stranger.meter.connections) > 0 {
				t.Error("the refused node is connected")
			}
		})
	}
}
