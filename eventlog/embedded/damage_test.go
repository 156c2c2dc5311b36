package embedded_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// TestFlippedBitsAreDetected: a flipped bit in synced data never loses an acknowledged record
// silently: all records are there, or the log refuses to open. Pebble alone takes damage near the
// end of its newest log for a torn write, and drops the rest.
func TestFlippedBitsAreDetected(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	fs := vfs.NewCrashableMem()
	config := func(fs vfs.FS) embedded.Config {
		c := inMemory(fs)
		c.Storage.MemTableBytes = 2 << 20 // one write-ahead log holds all records
		return c
	}
	l, err := embedded.Open(config(fs))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	home := homes(l)
	acknowledged := 0
	for acknowledged < 3000 {
		entries := make([]eventlog.Entry, 1+rng.IntN(400))
		for i := range entries {
			entries[i] = event(home[rng.IntN(2)], "%d %0150d", acknowledged+i, i)
		}
		if _, err := l.Append(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		acknowledged += len(entries)
	}
	refused := 0
	for range 60 {
		// what kill -9 leaves
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng})
		at := flip(t, left, rng)
		l, err := embedded.Open(config(left))
		if err != nil {
			if !errors.Is(err, eventlog.ErrCorrupt) {
				t.Errorf("a bit flipped %d bytes before the end: %v", at, err)
			}
			refused++
			continue
		}
		there := 0
		for p := range l.Partitions() {
			last, err := l.Last(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			there += int(last.Lo)
		}
		if there < acknowledged {
			t.Errorf("a bit flipped %d bytes before the end: %d of %d acknowledged records are there, and Open reports no fault", at, there, acknowledged)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no flip was noticed")
	}
}

// flip flips a bit in the last 200 KB of the newest write-ahead log.
func flip(t *testing.T, fs vfs.FS, rng *rand.Rand) (beforeEnd int64) {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	newest, number := "", -1
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimSuffix(name, ".log")); err == nil && strings.HasSuffix(name, ".log") && n > number {
			newest, number = name, n
		}
	}
	f, err := fs.OpenReadWrite(fs.PathJoin("log", newest), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	beforeEnd = 1 + rng.Int64N(min(200<<10, stat.Size()))
	var b [1]byte
	if _, err := f.ReadAt(b[:], stat.Size()-beforeEnd); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << rng.IntN(8)
	if _, err := f.WriteAt(b[:], stat.Size()-beforeEnd); err != nil {
		t.Fatal(err)
	}
	return beforeEnd
}

// contents returns the files of the log, with a checksum of each.
func contents(t *testing.T, fs vfs.FS) map[string]uint32 {
	t.Helper()
	names, err := fs.List("log")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint32{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin("log", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		all[name] = crc32.ChecksumIEEE(b)
	}
	return all
}

// TestMissingRecordsAreNamed: a log without some acknowledged records says how many are missing,
// and how to continue without them.
func TestMissingRecordsAreNamed(t *testing.T) {
	fs := vfs.NewCrashableMem()
	l, err := embedded.Open(inMemory(fs))
	if err != nil {
		t.Fatal(err)
	}
	home := homes(l)[0]
	if _, err := l.Append(t.Context(), []eventlog.Entry{event(home, "1")}); err != nil {
		t.Fatal(err)
	}
	early := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
	if _, err := l.Append(t.Context(), []eventlog.Entry{event(home, "2"), event(home, "3")}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	const mark = "log/ACKNOWLEDGED"
	if err := vfs.CopyAcrossFS(fs, mark, early, mark); err != nil {
		t.Fatal(err)
	}
	before := contents(t, early)
	for range 2 { // the second attempt finds everything as the first did
		_, err = embedded.Open(inMemory(early))
	}
	if after := contents(t, early); !maps.Equal(before, after) {
		t.Errorf("the refusal has changed the directory: from %v to %v", before, after)
	}
	if !strings.Contains(fmt.Sprint(err), ".log is damaged") {
		t.Errorf("the write-ahead log is not named: %v", err)
	}
	if !errors.Is(err, eventlog.ErrCorrupt) || !strings.Contains(err.Error(), "2 of 3 acknowledged records") || !strings.Contains(err.Error(), mark) {
		t.Fatalf("open: %v", err)
	}
	if err := early.Remove(mark); err != nil {
		t.Fatal(err)
	}
	l, err = embedded.Open(inMemory(early))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p, _ := l.PartitionOf(messages.Key{Tenant: messages.DefaultTenant, Dashboard: home})
	if last, _ := l.Last(t.Context(), p); last.Lo != 1 {
		t.Errorf("the log ends at %v, want 1", last)
	}
}
