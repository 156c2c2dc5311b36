package eventlogtest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// testHome: every log routes a key as Pulsar's clients do.
func testHome(t *testing.T, b *bench) {
	for i := range 100 {
		k := messages.Key{Tenant: messages.DefaultTenant, Dashboard: fmt.Sprint("d", i)}
		got, err := b.log.PartitionOf(k)
		b.check(err)
		if want := eventlog.PartitionOf(k.Dashboard, b.log.Partitions()); got != want {
			t.Errorf("home of %s: got %d, want %d", k, got, want)
		}
	}
}

func testOrder(t *testing.T, b *bench) {
	home := b.homes()[1]
	var want []messages.Record
	for batch := range 5 {
		var entries []eventlog.Entry
		for i := range 1 + batch*3 {
			entries = append(entries, event(home, "batch %d entry %d", batch, i))
		}
		for i, r := range b.append(entries...) {
			want = append(want, messages.Record{Position: r.Position, Payload: entries[i].Payload})
		}
		if batch == 2 {
			b.reopen()
		}
	}
	key := messages.Key{Tenant: messages.DefaultTenant, Dashboard: home}
	for i, got := range b.take(b.reader(1, messages.Position{}), len(want)) {
		if got.Position != want[i].Position || !bytes.Equal(got.Payload, want[i].Payload) || got.Kind != messages.KindEvent || got.Key != key {
			t.Fatalf("record %d:\n got %s %s %s %q\nwant %s event %s %q", i, got.Position, got.Kind, got.Key, got.Payload, want[i].Position, key, want[i].Payload)
		}
		if i > 0 && !want[i].Position.After(want[i-1].Position) {
			t.Fatalf("position %s follows %s", want[i].Position, want[i-1].Position)
		}
	}
}

func testAppendTime(t *testing.T, b *bench) {
	home := b.homes()[0]
	for i := range 20 {
		b.append(event(home, "%d", i))
		if i == 10 {
			b.reopen()
		}
	}
	last := int64(1)
	for _, r := range b.take(b.reader(0, messages.Position{}), 20) {
		if r.Append < last {
			t.Fatalf("append time %d follows %d", r.Append, last)
		}
		last = r.Append
	}
}

func testManyPartitions(t *testing.T, b *bench) {
	homes := b.homes()
	var entries []eventlog.Entry
	for i := range 10 * len(homes) {
		entries = append(entries, event(homes[(i*7)%len(homes)], "%d", i))
	}
	receipts := b.append(entries...)
	for p := range homes {
		r := b.reader(p, messages.Position{})
		var want []int
		for i, receipt := range receipts {
			if receipt.Partition == p {
				want = append(want, i)
			}
		}
		for n, got := range b.take(r, len(want)) {
			if i := want[n]; !bytes.Equal(got.Payload, entries[i].Payload) || got.Position != receipts[i].Position {
				t.Fatalf("partition %d record %d: got %s %q, want %s %q", p, n, got.Position, got.Payload, receipts[i].Position, entries[i].Payload)
			}
		}
		b.wantNoMore(r)
	}
}

func testPartitionGiven(t *testing.T, b *bench) {
	entries := []eventlog.Entry{
		{Kind: messages.KindTick, Partition: 1},
		{Kind: messages.KindDefinition, Key: messages.Key{Tenant: messages.DefaultTenant}, Partition: 1, Payload: []byte(`{}`)},
	}
	for i, r := range b.append(entries...) {
		if r.Partition != 1 {
			t.Errorf("entry %d: stored in partition %d, want 1", i, r.Partition)
		}
	}
	got := b.take(b.reader(1, messages.Position{}), 2)
	if got[0].Kind != messages.KindTick || got[0].Key != (messages.Key{}) || len(got[0].Payload) != 0 {
		t.Errorf("tick: got %+v", got[0])
	}
	if got[1].Kind != messages.KindDefinition || got[1].Key != entries[1].Key || string(got[1].Payload) != "{}" {
		t.Errorf("definition: got %+v", got[1])
	}
	if _, err := b.log.Append(t.Context(), []eventlog.Entry{{Kind: messages.KindTick, Partition: b.log.Partitions()}}); err == nil {
		t.Error("a partition that does not exist was taken")
	}
}

// testRefused: entries of one call and one partition are stored together or not at all.
func testRefused(t *testing.T, b *bench) {
	homes := b.homes()
	large := event(homes[0], "")
	large.Payload = make([]byte, eventlog.MaxRecordBytes+1)
	receipts, err := b.log.Append(t.Context(), []eventlog.Entry{event(homes[0], "before"), large, event(homes[1], "other"), event(homes[0], "after")})
	if !errors.Is(err, eventlog.ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
	for i, stored := range []bool{false, false, true, false} {
		if receipts[i].Position.IsZero() == stored {
			t.Errorf("entry %d: position %s, want stored %v", i, receipts[i].Position, stored)
		}
	}
	b.wantNoMore(b.reader(0, messages.Position{}))
	if got := b.take(b.reader(1, messages.Position{}), 1); string(got[0].Payload) != "other" {
		t.Errorf("got %q, want the other partition's entry", got[0].Payload)
	}
	large.Payload = large.Payload[1:]
	b.append(large)
}

func testPayloads(t *testing.T, b *bench) {
	home := b.homes()[0]
	e := event(home, "as it was given")
	b.append(e)
	clear(e.Payload)
	r := b.reader(0, messages.Position{})
	if got := b.take(r, 1); string(got[0].Payload) != "as it was given" {
		t.Errorf("got %q: the log kept the caller's bytes", got[0].Payload)
	}
}

func testCallers(t *testing.T, b *bench) {
	const callers, calls = 8, 50
	homes := b.homes()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				if _, err := b.log.Append(t.Context(), []eventlog.Entry{event(homes[0], "%d %d", c, i), event(homes[1], "%d %d", c, i)}); err != nil {
					t.Errorf("append: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	for p := range 2 {
		next := make([]int, callers)
		for _, r := range b.take(b.reader(p, messages.Position{}), callers*calls) {
			var c, i int
			if _, err := fmt.Sscanf(string(r.Payload), "%d %d", &c, &i); err != nil || i != next[c] {
				t.Fatalf("partition %d: got %q, want caller %d's number %d", p, r.Payload, c, next[c])
			}
			next[c]++
		}
	}
}
