package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// aged is a log of two partitions with a clock and small generations.
type aged struct {
	*testing.T
	*Log
	config Config
	now    time.Time
}

func newAged(t *testing.T, r Retention) *aged {
	a := &aged{T: t, now: time.UnixMilli(0)}
	a.config = Default(t.TempDir())
	a.config.Partitions = 2
	a.config.Retention = r
	a.config.Now = func() time.Time { return a.now }
	a.open()
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func (a *aged) open() {
	a.Helper()
	l, err := Open(a.config)
	if err != nil {
		a.Fatal(err)
	}
	l.generation.limit = 10 << 10
	a.Log = l
}

func (a *aged) reopen() {
	a.Helper()
	if err := a.Close(); err != nil {
		a.Fatal(err)
	}
	a.open()
}

// fill appends n records of 1 KiB to a partition, one second apart.
func (a *aged) fill(partition, n int) {
	a.Helper()
	for range n {
		a.now = a.now.Add(time.Second)
		e := eventlog.Entry{Kind: messages.KindTick, Partition: partition, Payload: make([]byte, 1024-headBytes-keyBytes)}
		if _, err := a.Append(a.Context(), []eventlog.Entry{e}); err != nil {
			a.Fatal(err)
		}
	}
}

func (a *aged) release(partition int, upTo uint64) {
	a.Helper()
	if err := a.Release(partition, messages.Position{Lo: upTo}); err != nil {
		a.Fatal(err)
	}
}

// wantOldest runs retention and checks where each partition begins and ends.
func (a *aged) wantOldest(partition int, oldest, last uint64) {
	a.Helper()
	if err := a.retain(); err != nil {
		a.Fatal(err)
	}
	p, _ := a.Last(a.Context(), partition)
	if p.Lo != last {
		a.Fatalf("partition %d: got last %d, want %d", partition, p.Lo, last)
	}
	r, err := a.Read(partition, messages.Position{})
	if err != nil {
		a.Fatal(err)
	}
	if oldest > last {
		if floor, _, _ := a.partitions[partition].bounds(); floor != oldest {
			a.Fatalf("partition %d: got floor %d, want %d", partition, floor, oldest)
		}
		return
	}
	records, err := r.Next(a.Context(), 1)
	if err != nil {
		a.Fatal(err)
	}
	if got := records[0].Position.Lo; got != oldest {
		a.Fatalf("partition %d: got oldest record %d, want %d", partition, got, oldest)
	}
}

func TestRetentionByAge(t *testing.T) {
	a := newAged(t, Retention{Age: time.Minute})
	a.fill(0, 100) // chunks of 10 records: 1-10, 11-20, …
	a.wantOldest(0, 1, 100)
	a.release(0, 35)
	a.wantOldest(0, 31, 100) // the chunk 31-40 holds records that are not released
	a.release(0, 100)
	a.wantOldest(0, 31, 100) // record 41, which ends the chunk, is younger than a minute
	a.now = a.now.Add(2 * time.Second)
	a.wantOldest(0, 41, 100)
	a.reopen()
	a.wantOldest(0, 41, 100) // the released position is lost in a restart
	a.now = a.now.Add(time.Hour)
	a.wantOldest(0, 41, 100)
	a.release(0, 100)
	a.wantOldest(0, 101, 100) // all records, those of the growing chunk too
	a.fill(0, 1)
	a.wantOldest(0, 101, 101)
	a.now = a.now.Add(time.Hour)
	a.release(0, 101)
	a.wantOldest(0, 102, 101)
	a.reopen() // an empty partition keeps its position
	a.wantOldest(0, 102, 101)
	a.fill(0, 2)
	a.wantOldest(0, 102, 103)
}

func TestRetentionByBytes(t *testing.T) {
	a := newAged(t, Retention{Bytes: 50 << 10})
	a.fill(0, 40)
	a.fill(1, 40)
	a.wantOldest(0, 1, 40) // 80 KiB, and none of it released
	a.release(1, 40)
	a.wantOldest(0, 1, 40)
	a.wantOldest(1, 31, 40) // the other partition gives enough
	a.release(0, 40)
	a.wantOldest(0, 1, 40) // 40 + 10 KiB fit
	a.fill(1, 25)
	a.wantOldest(0, 31, 40) // the oldest first, in any partition
	a.reopen()
	a.release(0, 40)
	a.release(1, 65)
	a.fill(1, 30)
	a.wantOldest(0, 41, 40)
}

// TestTrimmed: a reader whose next record is gone gets ErrTrimmed, and so does one that begins
// there.
func TestTrimmed(t *testing.T) {
	a := newAged(t, Retention{Age: time.Minute})
	a.fill(0, 30)
	slow, err := a.Read(0, messages.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Next(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	fresh, _ := a.Read(0, messages.Position{})
	edge, _ := a.Read(0, messages.Position{Lo: 30})
	a.release(0, 30)
	a.now = a.now.Add(time.Hour)
	a.wantOldest(0, 31, 30)
	if records, err := slow.Next(t.Context(), 5); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Errorf("got %v, %v; want ErrTrimmed", records, err)
	}
	late, err := a.Read(0, messages.Position{Lo: 7})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.Next(t.Context(), 5); !errors.Is(err, eventlog.ErrTrimmed) {
		t.Errorf("begun at 7: got %v, want ErrTrimmed", err)
	}
	a.fill(0, 1)
	for name, r := range map[string]eventlog.Reader{"of the oldest": fresh, "after the last trimmed": edge} {
		records, err := r.Next(t.Context(), 5)
		if err != nil || records[0].Position.Lo != 31 {
			t.Errorf("reader %s: got %v, %v; want record 31", name, records, err)
		}
	}
}

// TestQueueIsBounded stops the committer and fills the queue.
func TestQueueIsBounded(t *testing.T) {
	const places = 4
	c := Default(t.TempDir())
	c.Queue.Entries = places
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.storing.Lock()
	entry := []eventlog.Entry{{Kind: messages.KindTick}}
	results := make(chan error)
	ctx, giveUp := context.WithCancel(t.Context())
	for range places {
		go func() {
			_, err := l.Append(ctx, entry)
			results <- err
		}()
	}
	// All places are taken when a fifth call finds none; its context has ended already.
	ended, end := context.WithCancel(t.Context())
	end()
	for {
		_, err := l.Append(ended, entry)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want the context's error", err)
		}
		if l.queue.entries.TryAcquire(1) {
			l.queue.entries.Release(1)
			continue
		}
		break
	}
	if got := len(l.queue.calls); got > places {
		t.Errorf("%d calls are queued, at most %d may be", got, places)
	}
	// One caller that waits in the queue leaves: nothing of its call is stored.
	giveUp()
	for range places {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("left: got %v, want the context's error", err)
		}
	}
	l.storing.Unlock()
	if receipts, err := l.Append(t.Context(), entry); err != nil || receipts[0].Position.IsZero() {
		t.Errorf("after the wait: got %v, %v", receipts, err)
	}
	if last, _ := l.Last(t.Context(), 0); last.Lo != 1 {
		t.Errorf("%s records are stored, want the last one only", last)
	}
}

// TestCallLargerThanTheQueue: a call larger than the queue goes alone.
func TestCallLargerThanTheQueue(t *testing.T) {
	c := Default(t.TempDir())
	c.Queue = Queue{Bytes: 100, Entries: 3}
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var entries []eventlog.Entry
	for i := range 50 {
		entries = append(entries, eventlog.Entry{Kind: messages.KindTick, Payload: fmt.Appendf(nil, "%0100d", i)})
	}
	for range 3 {
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
	}
	if last, _ := l.Last(t.Context(), 0); last.Lo != 150 {
		t.Errorf("got last %s, want 150", last)
	}
	large := make([]eventlog.Entry, MaxCallBytes/eventlog.MaxRecordBytes+1)
	for i := range large {
		large[i] = eventlog.Entry{Kind: messages.KindTick, Payload: make([]byte, eventlog.MaxRecordBytes)}
	}
	if _, err := l.Append(t.Context(), large); !errors.Is(err, eventlog.ErrTooLarge) {
		t.Errorf("a call over %d bytes: got %v, want ErrTooLarge", MaxCallBytes, err)
	}
}

// TestReaderRemembersFewNames: a reader remembers a bounded number of names.
func TestReaderRemembersFewNames(t *testing.T) {
	r := &reader{keys: map[string]messages.Key{}}
	for i := range 3 * maxReadKeys {
		name := fmt.Sprint("d", i)
		want := messages.Key{Tenant: "t", Dashboard: name}
		named := append([]byte{1, byte(len(name))}, "t"+name...)
		if got := r.key(named); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
		if len(r.keys) > maxReadKeys {
			t.Fatalf("%d names are remembered, at most %d", len(r.keys), maxReadKeys)
		}
	}
}
