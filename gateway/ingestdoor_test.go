package gateway

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// openLog opens an embedded log of two partitions. The home of default/a and t/b is 1, that of t/a
// and default/b is 0.
func openLog(t *testing.T, change func(*embedded.Config)) *embedded.Log {
	t.Helper()
	c := embedded.Default(t.TempDir())
	c.Partitions = 2
	if change != nil {
		change(&c)
	}
	l, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// stored lists every record of the log as "tenant/dashboard payload", partition after partition.
func stored(t *testing.T, l eventlog.Log) string {
	t.Helper()
	var all []string
	for p := range l.Partitions() {
		last, err := l.Last(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Read(p, messages.Position{})
		if err != nil {
			t.Fatal(err)
		}
		for at := (messages.Position{}); last.After(at); {
			records, err := r.Next(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range records {
				all = append(all, rec.Key.String()+" "+string(rec.Payload))
				at = rec.Position
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(all, "\n")
}

func newIngest(t *testing.T, cfg IngestConfig) *Ingest {
	t.Helper()
	g, err := NewIngest(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// mounted returns the routes of a server that is not started.
func mounted(cfg Config) http.Handler {
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, conns: newConnTable(Connections{Proxies: cfg.Proxies, Limits: cfg.Limits})}
	return s.mux()
}

// post sends one request and returns the recorded answer.
func post(g *Ingest, target, contentType, encoding string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, body)
	r.Header.Set("Content-Type", contentType)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	mounted(Config{Events: g}).ServeHTTP(w, r)
	return w
}

func packed(t *testing.T, v any) string {
	t.Helper()
	b, err := msgp.AppendIntf(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func zipped(t *testing.T, b string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(b)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const form = "application/x-www-form-urlencoded" // what curl -d sends
