// Package eventlogtest is the one test of every eventlog.Log.
package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// Subject is a kind of log.
type Subject struct {
	// Open opens an empty log of several partitions, all of the default tenant's. The suite closes
	// it.
	Open func(t *testing.T) eventlog.Log
	// Reopen closes the log and opens what it left.
	Reopen func(t *testing.T, l eventlog.Log) eventlog.Log
}

// Run holds the subject against the contract.
func Run(t *testing.T, s Subject) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, *bench)
	}{
		{"home of a key", testHome},
		{"order and contents", testOrder},
		{"append time", testAppendTime},
		{"one call and many partitions", testManyPartitions},
		{"partition given", testPartitionGiven},
		{"refused whole", testRefused},
		{"payloads are not kept", testPayloads},
		{"many callers", testCallers},
		{"many readers", testReaders},
		{"reader waits", testWait},
		{"reader from a position", testFrom},
		{"reader limit", testLimit},
		{"positions", testPositions},
		{"released is still read", testRelease},
		{"context", testContext},
		{"closed", testClosed},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &bench{T: t, subject: s, log: s.Open(t)}
			defer func() { b.check(b.log.Close()) }()
			test.run(t, b)
		})
	}
}

// bench is a log under test with verbs that fail the test.
type bench struct {
	*testing.T
	subject Subject
	log     eventlog.Log
}

func (b *bench) check(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) reopen() {
	b.Helper()
	b.log = b.subject.Reopen(b.T, b.log)
}

// event is an entry of a dashboard whose payload is text.
func event(dashboard, format string, args ...any) eventlog.Entry {
	return eventlog.Entry{
		Kind:    messages.KindEvent,
		Key:     messages.Key{Tenant: messages.DefaultTenant, Dashboard: dashboard},
		Payload: fmt.Appendf(nil, format, args...),
	}
}

func (b *bench) append(entries ...eventlog.Entry) []eventlog.Receipt {
	b.Helper()
	receipts, err := b.log.Append(b.Context(), entries)
	b.check(err)
	if len(receipts) != len(entries) {
		b.Fatalf("got %d receipts for %d entries", len(receipts), len(entries))
	}
	for i, r := range receipts {
		if r.Position.IsZero() {
			b.Fatalf("entry %d: no error, but not stored", i)
		}
	}
	return receipts
}

func (b *bench) reader(partition int, after messages.Position) eventlog.Reader {
	b.Helper()
	r, err := b.log.Read(partition, after)
	b.check(err)
	b.Cleanup(func() { _ = r.Close() })
	return r
}

// take reads n records, copied.
func (b *bench) take(r eventlog.Reader, n int) []messages.Record {
	b.Helper()
	all, err := take(b.Context(), r, n)
	b.check(err)
	return all
}

func take(ctx context.Context, r eventlog.Reader, n int) ([]messages.Record, error) {
	var all []messages.Record
	for len(all) < n {
		records, err := r.Next(ctx, n-len(all))
		if err != nil {
			return all, err
		}
		if len(records) == 0 || len(records) > n-len(all) {
			return all, fmt.Errorf("got %d records, want 1 to %d", len(records), n-len(all))
		}
		for _, record := range records {
			record.Payload = append([]byte(nil), record.Payload...)
			all = append(all, record)
		}
	}
	return all, nil
}

// wantNoMore fails if the reader has another record.
func (b *bench) wantNoMore(r eventlog.Reader) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	if records, err := r.Next(ctx, 1); !errors.Is(err, context.Canceled) {
		b.Fatalf("got %v, %v at the end; want to wait until the context ends", records, err)
	}
}

// homes are dashboards of every partition, by partition.
func (b *bench) homes() []string {
	homes := make([]string, b.log.Partitions())
	for missing, i := len(homes), 0; missing > 0; i++ {
		name := fmt.Sprintf("d%d", i)
		p, err := b.log.PartitionOf(messages.Key{Tenant: messages.DefaultTenant, Dashboard: name})
		b.check(err)
		if homes[p] == "" {
			homes[p] = name
			missing--
		}
	}
	return homes
}
