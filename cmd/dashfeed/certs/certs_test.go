package certs

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dashfeed/dashfeed/cluster/link/certstest"
)

// served loads certificates of a new CA, whose clock the test moves.
func served(t *testing.T, ca *certstest.CA, log *bytes.Buffer) (c *Certs, files Files, later func()) {
	t.Helper()
	dir := t.TempDir()
	files = Files{Cert: filepath.Join(dir, "a.crt"), Key: filepath.Join(dir, "a.key")}
	ca.Write(t, files.Cert, files.Key, "first", time.Hour)
	c, err := Load(files, "public", slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	c.now = func() time.Time { return at }
	return c, files, func() { at = at.Add(lookEvery) }
}

// shown returns the name in the certificate that a client gets.
func shown(t *testing.T, c *Certs, ca *certstest.CA, version uint16) (name, protocol string, err error) {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	limit := time.Now().Add(5 * time.Second) // an alert and an answer may wait for each other
	_, _ = client.SetDeadline(limit), server.SetDeadline(limit)
	done := make(chan error, 1)
	go func() { done <- tls.Server(server, c.Config()).Handshake(); server.Close() }()
	conn := tls.Client(client, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1", NextProtos: []string{"h2"}, MinVersion: version, MaxVersion: version})
	err = conn.Handshake()
	if err == nil {
		name, protocol = conn.ConnectionState().PeerCertificates[0].Subject.CommonName, conn.ConnectionState().NegotiatedProtocol
	}
	client.Close()
	<-done
	return name, protocol, err
}

// TestReload: handshakes use the files as they are, within a second; files that can't be used are
// not used, which a log line and metrics tell.
func TestReload(t *testing.T) {
	var log bytes.Buffer
	ca := certstest.New(t)
	c, files, later := served(t, ca, &log)
	want := func(when, name string, ok, failed float64) {
		t.Helper()
		if got, _, err := shown(t, c, ca, tls.VersionTLS13); err != nil || got != name {
			t.Errorf("%s: a client sees %q, %v; want %q", when, got, err, name)
		}
		if o, f := testutil.ToFloat64(c.reloads.WithLabelValues("ok")), testutil.ToFloat64(c.reloads.WithLabelValues("failed")); o != ok || f != failed {
			t.Errorf("%s: %v reloads and %v failures are counted, want %v and %v", when, o, f, ok, failed)
		}
	}
	want("at the start", "first", 0, 0)
	ca.Write(t, files.Cert, files.Key, "second", time.Hour)
	want("at once", "first", 0, 0)
	later()
	want("a second later", "second", 1, 0)

	for name, spoil := range map[string]func(){
		"no certificate in PEM": func() { os.WriteFile(files.Cert, []byte("x"), 0o600) },
		"another key":           func() { ca.Write(t, filepath.Join(t.TempDir(), "x.crt"), files.Key, "x", time.Hour) },
		"no file":               func() { os.Remove(files.Key) },
		"expired":               func() { ca.Write(t, files.Cert, files.Key, "late", -time.Minute) },
	} {
		before := testutil.ToFloat64(c.reloads.WithLabelValues("failed"))
		good := testutil.ToFloat64(c.reloads.WithLabelValues("ok"))
		log.Reset()
		spoil()
		later()
		want(name, "second", good, before+1)
		if err := c.Err(); err == nil || strings.Count(log.String(), "those of before are used") != 1 || !strings.Contains(log.String(), filepath.Base(files.Cert)[:2]) {
			t.Errorf("%s: %v, logged %q", name, err, log.String())
		}
		ca.Write(t, files.Cert, files.Key, "second", time.Hour)
		later()
		want("after "+name, "second", good+1, before+1)
		if err := c.Err(); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// TestVersions: TLS 1.2 and later, and HTTP/2 for clients who ask for it.
func TestVersions(t *testing.T) {
	ca := certstest.New(t)
	c, _, _ := served(t, ca, new(bytes.Buffer))
	for version, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		_, protocol, err := shown(t, c, ca, version)
		if (err == nil) != ok || ok && protocol != "h2" {
			t.Errorf("%s: %v, %q", tls.VersionName(version), err, protocol)
		}
	}
}

// TestLoadErrors: files that can't be used are named.
func TestLoadErrors(t *testing.T) {
	ca := certstest.New(t)
	dir := t.TempDir()
	crt, key, junk := filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key"), filepath.Join(dir, "junk")
	ca.Write(t, crt, key, "a", time.Hour)
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, files := range map[string]Files{
		dir + "/none":                    {Cert: dir + "/none", Key: key},
		"certificate " + junk:            {Cert: junk, Key: key},
		"key " + junk:                    {Cert: crt, Key: junk},
		junk + " holds no certificate":   {Cert: crt, Key: key, ClientCA: junk},
		"read certificates: open " + dir: {Cert: crt, Key: key, ClientCA: dir + "/none"},
	} {
		if _, err := Load(files, "public", slog.Default(), prometheus.NewRegistry()); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v, want %q", files, err, says)
		}
	}
	if (Files{}).Check("") != nil || (Files{Cert: crt}).Check("") == nil || (Files{Key: key}).Check("admin-") == nil || (Files{ClientCA: crt}).Check("admin-") == nil {
		t.Error("a certificate without a key, or the reverse, is taken")
	}
}
