package roles

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/cluster/link/certstest"
)

// secured is a server with TLS at both addresses, and what its clients need.
type secured struct {
	*Single
	ca       *certstest.CA
	operator tls.Certificate
}

func startSecured(t *testing.T) *secured {
	t.Helper()
	ca, dir := certstest.New(t), t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	ca.Write(t, in("a.crt"), in("a.key"), "server", time.Hour)
	ca.Write(t, in("o.crt"), in("o.key"), "operator", time.Hour)
	ca.WriteCA(t, in("ca.crt"))
	f := ServerFlags{
		PublicFlags:    PublicFlags{Listen: "127.0.0.1:0", TLSCert: in("a.crt"), TLSKey: in("a.key")},
		AdminFlags:     AdminFlags{Admin: "127.0.0.1:0", AdminTLSCert: in("a.crt"), AdminTLSKey: in("a.key"), AdminClientCA: in("ca.crt")},
		StorageFlags:   StorageFlags{Data: t.TempDir(), RetentionAge: time.Hour, RetentionBytes: 1 << 26},
		DashboardFlags: DashboardFlags{Checkpoint: time.Second, Sleep: time.Minute},
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	s := NewSingle(Process{Talk: func(string, ...any) {}, Log: io.Discard}, f, nil)
	t.Cleanup(func() { s.Stop() })
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	operator, err := tls.LoadX509KeyPair(in("o.crt"), in("o.key"))
	if err != nil {
		t.Fatal(err)
	}
	return &secured{s, ca, operator}
}

func (s *secured) get(t *testing.T, url string, certificates ...tls.Certificate) (*http.Response, string) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool(), Certificates: certificates}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestSecured: both addresses use TLS: HTTP/2 for requests, HTTP/1.1 for WebSockets; the admin
// address serves operators, and health to everybody.
func TestSecured(t *testing.T) {
	s := startSecured(t)
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Fatalf("it serves %s", s.URL())
	}
	resp, body := s.get(t, s.URL()+"/v1/dashboards")
	if resp.StatusCode != 200 || resp.ProtoMajor != 2 || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %s %v", resp.Proto, resp.Status, body, resp.Header)
	}
	http1 := &http.Client{Transport: &http.Transport{}}
	if resp, err := http1.Get("http" + strings.TrimPrefix(s.URL(), "https") + "/v1/dashboards"); err != nil || resp.StatusCode != 400 || resp.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("without TLS: %v, %v", resp, err)
	}

	// a large view comes whole, in few records
	event := `{"id":"e-%","dashboard":"d","metric":"latency","value":1,"labels":{"country":"` + strings.Repeat("x", 100) + `%"}}` + "\n"
	var events strings.Builder
	for i := range 200 {
		events.WriteString(strings.ReplaceAll(event, "%", strings.Repeat("i", i+1)))
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	posted, err := (&http.Client{Transport: transport}).Post(s.URL()+"/v1/events", "application/x-ndjson", strings.NewReader(events.String()))
	if err != nil || posted.StatusCode != http.StatusAccepted || posted.ProtoMajor != 2 {
		t.Fatalf("post: %v %v", posted, err)
	}
	posted.Body.Close()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}}
	ws, _, err := d.Dial("wss"+strings.TrimPrefix(s.URL(), "https")+"/dashboard/d", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if _, m, err := ws.ReadMessage(); err != nil || !bytes.HasPrefix(m, []byte("{")) {
		t.Errorf("a watcher gets %.100s, %v", m, err)
	}

	admin := addressOf(s.adminDoor, s.secure.admin)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 401, "/debug/pprof/cmdline": 401, "/healthz/../metrics": 401} {
		if resp, body := s.get(t, admin+path); resp.StatusCode != want {
			t.Errorf("%s without a certificate: %s %.200s", path, resp.Status, body)
		}
	}
	if resp, body := s.get(t, admin+"/metrics", s.operator); resp.StatusCode != 200 || !strings.Contains(body, `dashfeed_tls_expires_timestamp_seconds{listener="public"}`) {
		t.Errorf("/metrics with one: %s %.200s", resp.Status, body)
	}
	stranger, dir := certstest.New(t), t.TempDir()
	stranger.Write(t, dir+"/s.crt", dir+"/s.key", "operator", time.Hour)
	pair, err := tls.LoadX509KeyPair(dir+"/s.crt", dir+"/s.key")
	if err != nil {
		t.Fatal(err)
	}
	give := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	bad := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool(), GetClientCertificate: give}}
	if resp, err := (&http.Client{Transport: bad}).Get(admin + "/healthz"); err == nil {
		t.Errorf("a certificate of another CA gets %s", resp.Status)
	}
}

// TestBadCertificates: certificates that can't be read end the start as a usage error.
func TestBadCertificates(t *testing.T) {
	s := NewSingle(Process{Talk: func(string, ...any) {}, Log: io.Discard}, ServerFlags{
		PublicFlags: PublicFlags{Listen: "127.0.0.1:0", TLSCert: "/none.crt", TLSKey: "/none.key"}, AdminFlags: AdminFlags{Admin: "127.0.0.1:0"},
		StorageFlags: StorageFlags{Data: t.TempDir()},
	}, nil)
	defer s.Stop()
	var wrong *UsageError
	if err := s.Start(t.Context()); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "--tls-cert, --tls-key: read certificates: open /none.crt") {
		t.Errorf("it starts with %v", err)
	}
}
