package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
)

// taking is a log that accepts everything, so that only the way to it and back is measured.
type taking struct {
	eventlog.Appender
	receipts []eventlog.Receipt
}

func (l *taking) PartitionOf(messages.Key) (int, error) { return 3, nil }

func (l *taking) Append(_ context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	return l.receipts[:len(entries)], nil
}

func receipts(n int) (all []eventlog.Receipt) {
	for i := range n {
		all = append(all, eventlog.Receipt{Partition: 3, Position: messages.Position{Lo: uint64(i + 1)}})
	}
	return all
}

// answer is an http.ResponseWriter that keeps nothing.
type answer struct{ header http.Header }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(int)             { clear(a.header) }

// BenchmarkPost measures a request to POST /v1/events without the network and the log, by the
// number of its events.
func BenchmarkPost(b *testing.B) {
	l := &taking{receipts: receipts(200)}
	for name, n := range map[string]int{"1": 1, "20": 20, "200": 200} {
		b.Run(name, func(b *testing.B) {
			g, err := NewIngest(IngestConfig{Log: l, Limits: limitsOf(b, limits.Values{limits.TenantEvents: 1e9, limits.TenantBytes: 1e12, limits.DashboardEvents: 1e9})})
			if err != nil {
				b.Fatal(err)
			}
			h := mounted(Config{Events: g})
			body := strings.Repeat(`{"id":"e1","dashboard":"a","metric":"m","value":1,"time":1795422000371,"labels":{"country":"DE"},"metadata":{"unit":"ms"}}`+"\n", n)
			r, err := http.NewRequestWithContext(b.Context(), "POST", "/v1/events", nil)
			if err != nil {
				b.Fatal(err)
			}
			r.RemoteAddr = "127.0.0.1:4000"
			text := strings.NewReader(body)
			r.Body, r.ContentLength = http.NoBody, int64(len(body))
			w := &answer{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				text.Reset(body)
				r.Body = readCloser{text}
				h.ServeHTTP(w, r)
			}
		})
	}
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
