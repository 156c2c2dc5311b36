//go:build !race

package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
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
	a := listen(t, "a", "127.0.0.1:0", ours.files(t, "a")).start(t)
	b := listen(t, "b", "127.0.0.1:0", ours.files(t, "b")).start(t)
	until(t, a, b)
	for name, stranger := range map[string]*node{
		"without TLS":             listen(t, "c", "127.0.0.1:0").start(t),
		"of another authority":    listen(t, "d", "127.0.0.1:0", others.files(t, "d")).start(t),
		"that claims our CA only": listen(t, "e", "127.0.0.1:0", others.files(t, "e"), func(c *Config) { c.TLS.CA = filepath.Join(ours.dir, "ca.crt") }).start(t),
	} {
		for range 4 {
			stranger.Send(a.Self(), Command, []byte("let me in"))
			until(t, b, a) // passes meanwhile
		}
		if n := len(a.boxes[Command]); n != 0 {
			t.Errorf("a stranger %s was heard", name)
		}
		if testutil.ToFloat64(stranger.meter.connections) > 0 {
			t.Errorf("a stranger %s is connected", name)
		}
	}
}
