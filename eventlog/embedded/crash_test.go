package embedded_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

func inMemory(fs vfs.FS) embedded.Config {
	c := embedded.Default("log")
	c.Partitions = 2
	c.Storage.FS = fs
	// so that the power fails during flushes and compactions
	c.Storage.MemTableBytes = 64 << 10
	return c
}

func event(dashboard, format string, args ...any) eventlog.Entry {
	return eventlog.Entry{
		Kind:    messages.KindEvent,
		Key:     messages.Key{Tenant: messages.DefaultTenant, Dashboard: dashboard},
		Payload: fmt.Appendf(nil, format, args...),
	}
}

// homes returns a dashboard of each of the two partitions.
func homes(l eventlog.Log) (h [2]string) {
	for i := 0; h[0] == "" || h[1] == ""; i++ {
		name := fmt.Sprint("d", i)
		p, _ := l.PartitionOf(messages.Key{Tenant: messages.DefaultTenant, Dashboard: name})
		h[p] = name
	}
	return h
}

// TestPowerLoss cuts the power at random moments while two callers append. Afterwards every record
// that was acknowledged is in its place; the log opens whatever the ends of its files hold, and
// continues without a gap.
func TestPowerLoss(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			fs := vfs.NewCrashableMem()
			for range 3 { // the log starts three times
				fs = crashOnce(t, fs, rng)
			}
		})
	}
}

// crashOnce opens the log, checks it, appends, and returns what a loss of power leaves on the disk.
func crashOnce(t *testing.T, fs *vfs.MemFS, rng *rand.Rand) *vfs.MemFS {
	t.Helper()
	l, err := embedded.Open(inMemory(fs))
	if err != nil {
		t.Fatal(err)
	}
	home := homes(l)
	var acknowledged [2]atomic.Uint64
	for p := range acknowledged {
		last, _ := l.Last(t.Context(), p)
		acknowledged[p].Store(last.Lo)
	}
	var callers sync.WaitGroup
	var crashed atomic.Bool
	for p := range home {
		batch := 1 + rng.IntN(30)
		callers.Go(func() {
			for !crashed.Load() {
				entries := make([]eventlog.Entry, batch)
				for i := range entries {
					entries[i] = event(home[p], "%d %0100d", acknowledged[p].Load()+uint64(i)+1, i)
				}
				receipts, err := l.Append(t.Context(), entries)
				if err != nil {
					t.Errorf("append: %v", err)
					return
				}
				acknowledged[p].Store(receipts[batch-1].Position.Lo)
			}
		})
	}
	until := acknowledged[0].Load() + uint64(rng.IntN(3000))
	for acknowledged[0].Load() < until && !t.Failed() {
		awaitMore(t, l, acknowledged[0].Load())
	}
	before := [2]uint64{acknowledged[0].Load(), acknowledged[1].Load()}
	left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	crashed.Store(true)
	callers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	verify(t, left, before)
	return left
}

// awaitMore returns when partition 0 has a record after the position.
func awaitMore(t *testing.T, l eventlog.Log, after uint64) {
	t.Helper()
	r, err := l.Read(0, messages.Position{Lo: after})
	if err == nil {
		_, err = r.Next(t.Context(), 1)
	}
	if err != nil {
		t.Error(err)
	}
}

// verify opens a copy of what is left, so that the next start does a recovery of its own.
func verify(t *testing.T, left *vfs.MemFS, acknowledged [2]uint64) {
	t.Helper()
	l, err := embedded.Open(inMemory(left.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for p, want := range acknowledged {
		last, _ := l.Last(t.Context(), p)
		if last.Lo < want {
			t.Fatalf("partition %d: %d records were acknowledged, %d are there", p, want, last.Lo)
		}
		for i, r := range read(t, l, p, last.Lo) {
			var n uint64
			if _, err := fmt.Sscanf(string(r.Payload), "%d", &n); err != nil || n != uint64(i+1) || r.Position.Lo != n {
				t.Fatalf("partition %d: got %s %q, want record %d", p, r.Position, r.Payload, i+1)
			}
		}
	}
}

// read returns the partition's first n records.
func read(t *testing.T, l eventlog.Log, partition int, n uint64) (all []messages.Record) {
	t.Helper()
	r, err := l.Read(partition, messages.Position{})
	for err == nil && uint64(len(all)) < n {
		var records []messages.Record
		records, err = r.Next(t.Context(), 1000)
		for _, record := range records {
			record.Payload = append([]byte(nil), record.Payload...)
			all = append(all, record)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCorruptRecord flips one bit in every table file in turn: the reader names the position, or
// reads all records unharmed.
func TestCorruptRecord(t *testing.T) {
	fs := vfs.NewMem()
	l, err := embedded.Open(inMemory(fs))
	if err != nil {
		t.Fatal(err)
	}
	home := homes(l)
	const records = 2000
	for i := range records / 100 {
		entries := make([]eventlog.Entry, 100)
		for j := range entries {
			entries[j] = event(home[0], "%d %0200d", 100*i+j+1, j)
		}
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found := 0
	names, _ := fs.List("log")
	for _, name := range names {
		if fs.PathBase(name) != name || len(name) < 4 || name[len(name)-4:] != ".sst" {
			continue
		}
		data, err := fs.UnsafeGetFileDataBuffer(fs.PathJoin("log", name))
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/3] ^= 4
		if readCorrupt(t, fs) {
			found++
		}
		data[len(data)/3] ^= 4
	}
	if found == 0 {
		t.Errorf("no flipped bit was found in any of %v", names)
	}
	if readCorrupt(t, fs) {
		t.Error("corrupt although the bit was flipped back")
	}
}

// readCorrupt reads partition 0 to its end or to the corrupt record.
func readCorrupt(t *testing.T, fs *vfs.MemFS) (corrupt bool) {
	t.Helper()
	l, err := embedded.Open(inMemory(fs))
	if err != nil {
		return true // the bit is in a block that the start reads
	}
	defer func() { _ = l.Close() }()
	r, err := l.Read(0, messages.Position{})
	if err != nil {
		t.Fatal(err)
	}
	last, _ := l.Last(t.Context(), 0)
	for next := uint64(1); next <= last.Lo; {
		records, err := r.Next(t.Context(), 100)
		if errors.Is(err, eventlog.ErrCorrupt) {
			if want := fmt.Sprintf("read partition 0: record corrupt at position %d:", next); len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
				t.Errorf("got error %q, want it to begin with %q", err, want)
			}
			return true
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range records {
			if want := fmt.Sprintf("%d %0200d", next, (next-1)%100); string(record.Payload) != want {
				t.Fatalf("got %q, want %q", record.Payload, want)
			}
			next++
		}
	}
	return false
}
