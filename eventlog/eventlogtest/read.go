package eventlogtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

func testReaders(t *testing.T, b *bench) {
	const readers, records = 5, 300
	home := b.homes()[0]
	var wg sync.WaitGroup
	for n := range readers {
		r := b.reader(0, messages.Position{})
		wg.Go(func() {
			got, err := take(t.Context(), r, records)
			if err != nil {
				t.Errorf("reader %d: %v", n, err)
				return
			}
			for i, record := range got {
				if want := fmt.Sprint(i); string(record.Payload) != want {
					t.Errorf("reader %d: got %q, want %q", n, record.Payload, want)
					return
				}
			}
		})
	}
	for i := 0; i < records; {
		var entries []eventlog.Entry
		for range min(1+i%7, records-i) {
			entries = append(entries, event(home, "%d", i))
			i++
		}
		b.append(entries...)
	}
	wg.Wait()
}

// testWait: a reader at the end gets what comes, without being asked again.
func testWait(t *testing.T, b *bench) {
	homes := b.homes()
	r := b.reader(0, messages.Position{})
	got := make(chan string)
	failed := make(chan error, 1)
	go func() {
		for range 3 {
			records, err := take(t.Context(), r, 1)
			if err != nil {
				failed <- err
				return
			}
			got <- string(records[0].Payload)
		}
	}()
	for i := range 3 {
		b.append(event(homes[1], "elsewhere"))
		b.append(event(homes[0], "%d", i))
		select {
		case s := <-got:
			if want := fmt.Sprint(i); s != want {
				t.Fatalf("got %q, want %q", s, want)
			}
		case err := <-failed:
			t.Fatal(err)
		}
	}
}

func testFrom(t *testing.T, b *bench) {
	home := b.homes()[0]
	var entries []eventlog.Entry
	for i := range 50 {
		entries = append(entries, event(home, "%d", i))
	}
	receipts := b.append(entries...)
	b.reopen()
	for _, i := range []int{0, 1, 25, 48} {
		got := b.take(b.reader(0, receipts[i].Position), 49-i)
		if want := fmt.Sprint(i + 1); string(got[0].Payload) != want || got[0].Position != receipts[i+1].Position {
			t.Errorf("after %s: got %s %q, want %s %q", receipts[i].Position, got[0].Position, got[0].Payload, receipts[i+1].Position, want)
		}
	}
	r := b.reader(0, receipts[49].Position)
	b.wantNoMore(r)
	b.append(event(home, "50"))
	if got := b.take(r, 1); string(got[0].Payload) != "50" {
		t.Errorf("got %q, want the record after the last", got[0].Payload)
	}
}

func testLimit(t *testing.T, b *bench) {
	home := b.homes()[0]
	var entries []eventlog.Entry
	for i := range 20 {
		entries = append(entries, event(home, "%d", i))
	}
	b.append(entries...)
	r := b.reader(0, messages.Position{})
	for read, limit := 0, 1; read < 20; limit += 2 {
		records, err := r.Next(t.Context(), limit)
		b.check(err)
		if len(records) < 1 || len(records) > limit {
			t.Fatalf("limit %d: got %d records", limit, len(records))
		}
		if want := fmt.Sprint(read); string(records[0].Payload) != want {
			t.Fatalf("got %q, want %q", records[0].Payload, want)
		}
		read += len(records)
	}
	if _, err := r.Next(t.Context(), 0); err == nil {
		t.Error("limit 0 was taken")
	}
}

func testPositions(t *testing.T, b *bench) {
	last := func(p int) messages.Position {
		t.Helper()
		position, err := b.log.Last(t.Context(), p)
		b.check(err)
		return position
	}
	if got := last(0); !got.IsZero() {
		t.Errorf("last of an empty partition: got %s, want 0", got)
	}
	receipts := b.append(event(b.homes()[0], "a"), event(b.homes()[0], "b"))
	if got := last(0); got != receipts[1].Position {
		t.Errorf("last: got %s, want %s", got, receipts[1].Position)
	}
	if got := last(1); !got.IsZero() {
		t.Errorf("last of another partition: got %s, want 0", got)
	}
	if log, ok := b.log.(eventlog.Lag); ok {
		third := b.append(event(b.homes()[0], "c"))[0] // the two before may be one message
		for after, want := range map[messages.Position]uint64{receipts[1].Position: 1, third.Position: 0} {
			if got, err := log.Lag(t.Context(), 0, after); err != nil || got != want {
				t.Errorf("lag after %s: %d, %v; want %d", after, got, err, want)
			}
		}
		for n, want := range []uint64{3, 0} {
			if got, err := log.Lag(t.Context(), n, messages.Position{}); err != nil || got > want || got < min(want, 2) {
				t.Errorf("lag of all of partition %d: %d, %v; want %d", n, got, err, want)
			}
		}
		receipts[1] = third
	}
	b.reopen()
	if got := last(0); got != receipts[1].Position {
		t.Errorf("last after a start: got %s, want %s", got, receipts[1].Position)
	}
	ahead := messages.Position{Hi: receipts[1].Position.Hi, Lo: receipts[1].Position.Lo + 1<<40}
	if _, err := b.log.Read(0, ahead); !errors.Is(err, eventlog.ErrAhead) {
		t.Errorf("read from beyond the last record: got %v, want ErrAhead", err)
	}
	for _, p := range []int{-1, b.log.Partitions()} {
		if _, err := b.log.Last(t.Context(), p); err == nil {
			t.Errorf("partition %d has a last position", p)
		}
		if _, err := b.log.Read(p, messages.Position{}); err == nil {
			t.Errorf("partition %d is read", p)
		}
	}
}

// testRelease: what is young and little stays, released or not.
func testRelease(t *testing.T, b *bench) {
	home := b.homes()[0]
	receipts := b.append(event(home, "a"), event(home, "b"), event(home, "c"))
	b.check(b.log.Release(0, receipts[1].Position))
	b.check(b.log.Release(0, receipts[0].Position)) // never back
	if got := b.take(b.reader(0, messages.Position{}), 3); string(got[2].Payload) != "c" {
		t.Errorf("got %q, want c", got[2].Payload)
	}
}

func testContext(t *testing.T, b *bench) {
	r := b.reader(0, messages.Position{})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := r.Next(ctx, 1)
		failed <- err
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	b.append(event(b.homes()[0], "later"))
	if got := b.take(r, 1); string(got[0].Payload) != "later" {
		t.Errorf("got %q: the reader lost its place", got[0].Payload)
	}
}

func testClosed(t *testing.T, b *bench) {
	home := b.homes()[0]
	waiting := b.reader(0, messages.Position{})
	failed := make(chan error)
	go func() {
		_, err := waiting.Next(t.Context(), 1)
		failed <- err
	}()
	b.check(b.log.Close())
	if err := <-failed; !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("waiting reader: got %v, want ErrClosed", err)
	}
	if _, err := b.log.Append(t.Context(), []eventlog.Entry{event(home, "x")}); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("append: got %v, want ErrClosed", err)
	}
	if err := b.log.Err(); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("err: got %v, want ErrClosed", err)
	}
	b.check(b.log.Close()) // twice is once
}
