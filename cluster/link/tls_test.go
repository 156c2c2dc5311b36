package link

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dashfeed/dashfeed/cluster/link/certstest"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	dir string
	ca  *certstest.CA
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t.TempDir(), certstest.New(t)}
	a.ca.WriteCA(t, a.in("ca.crt"))
	return a
}

func (a *authority) in(name string) string { return filepath.Join(a.dir, name) }

// files gives a node its own certificate.
func (a *authority) files(t *testing.T, name string) func(*Config) {
	a.ca.Write(t, a.in(name+".crt"), a.in(name+".key"), name, time.Hour)
	return func(c *Config) { c.TLS = TLS{CA: a.in("ca.crt"), Cert: a.in(name + ".crt"), Key: a.in(name + ".key")} }
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
