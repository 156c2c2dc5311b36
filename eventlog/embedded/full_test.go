package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
	"github.com/dashfeed/dashfeed/messages"
)

const mib = 1 << 20

// fullLog is a log on a small volume, and what it has acknowledged.
type fullLog struct {
	*testing.T
	*Log
	volume *eventlogtest.Volume
	config Config
	stored uint64
	rng    *rand.Rand
}

func newFullLog(t *testing.T, sizeBytes, reserveBytes int) *fullLog {
	f := &fullLog{T: t, volume: eventlogtest.NewVolume(t, sizeBytes), rng: rand.New(rand.NewPCG(1, 1))}
	f.config = Default(filepath.Join(f.volume.Path, "log"))
	f.config.Partitions = 1
	f.config.Storage.ReserveBytes = int64(reserveBytes)
	f.config.Storage.MemTableBytes = mib
	f.open()
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func (f *fullLog) open() {
	f.Helper()
	l, err := Open(f.config)
	if err != nil {
		f.Fatal(err)
	}
	f.Log = l
}

// append appends 100 records of 1 KiB that do not compress.
func (f *fullLog) append() error {
	entries := make([]eventlog.Entry, 100)
	for i := range entries {
		payload := fmt.Appendf(nil, "%d ", f.stored+uint64(i)+1)
		for len(payload) < 1024 {
			payload = append(payload, byte(f.rng.Uint32()))
		}
		entries[i] = eventlog.Entry{Kind: messages.KindTick, Payload: payload}
	}
	receipts, err := f.Append(f.Context(), entries)
	if err == nil {
		f.stored = receipts[len(receipts)-1].Position.Lo
	} else if last, _ := f.Last(f.Context(), 0); last.Lo != f.stored {
		f.Fatalf("refused with %v, but stored: last %s, acknowledged %d", err, last, f.stored)
	}
	return err
}

// appendUntilFull returns when an append is refused.
func (f *fullLog) appendUntilFull() {
	f.Helper()
	for {
		err := f.append()
		if errors.Is(err, eventlog.ErrFull) {
			break
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	if err := f.Err(); !errors.Is(err, eventlog.ErrFull) {
		f.Fatalf("an append was refused, yet Err is %v", err)
	}
}

func (f *fullLog) wantTaken() {
	f.Helper()
	if err := f.append(); err != nil {
		f.Fatalf("space is free again, but append fails: %v", err)
	}
	if err := f.Err(); err != nil {
		f.Fatalf("space is free again, but Err is %v", err)
	}
}

// wantAll reads every acknowledged record.
func (f *fullLog) wantAll() {
	f.Helper()
	r, err := f.Read(0, messages.Position{})
	if err != nil {
		f.Fatal(err)
	}
	for next := uint64(1); next <= f.stored; {
		records, err := r.Next(f.Context(), 1000)
		if err != nil {
			f.Fatal(err)
		}
		for _, record := range records {
			var n uint64
			if _, err := fmt.Sscanf(string(record.Payload[:20]), "%d ", &n); err != nil || n != next {
				f.Fatalf("got record %q at %s, want %d", record.Payload[:20], record.Position, next)
			}
			next++
		}
	}
}

// TestFull: appends stop at the reserve and continue when others free space, again and again.
func TestFull(t *testing.T) {
	f := newFullLog(t, 64*mib, 16*mib)
	for range 3 {
		free := f.volume.Fill(t, 8*mib)
		f.appendUntilFull()
		f.wantAll()
		if free, _ := f.dir.Free(); free < 8*mib {
			t.Errorf("appends are refused with %d bytes free, the reserve is %d", free, 16*mib)
		}
		free()
		f.wantTaken()
	}
	f.wantAll()
	stored := f.stored
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.open()
	if last, _ := f.Last(t.Context(), 0); last.Lo != stored {
		t.Errorf("after a start the last is %s, want %d", last, stored)
	}
	f.wantAll()
}

// TestFullToTheLastByte: another program fills the reserve too. Pebble's own writes then wait,
// reads and refusals do not, and all continues when there is space.
func TestFullToTheLastByte(t *testing.T) {
	f := newFullLog(t, 64*mib, 8*mib)
	for f.stored < 10_000 {
		if err := f.append(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		free := f.volume.Fill(t, 64*mib)
		f.appendUntilFull()
		flushed := make(chan error, 1)
		go func() { flushed <- f.dir.DB.Flush() }()
		freeMore := f.volume.Fill(t, 64*mib) // and the ballast that was dropped
		f.wantAll()
		if err := f.append(); !errors.Is(err, eventlog.ErrFull) {
			t.Fatalf("got %v, want ErrFull", err)
		}
		free()
		freeMore()
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		f.wantTaken()
		f.dir.RestoreBallast()
	}
	f.wantAll()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.wantAll()
}

// TestFullAtStart: a log on a full volume opens for reads and refuses appends.
func TestFullAtStart(t *testing.T) {
	f := newFullLog(t, 64*mib, 16*mib)
	for range 5 {
		if err := f.append(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	free := f.volume.Fill(t, 50*mib)
	f.open()
	if err := f.append(); !errors.Is(err, eventlog.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	f.wantAll()
	free()
	f.wantTaken()
}
