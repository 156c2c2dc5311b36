package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// BenchmarkStore writes 100,000 entries of 1 KB in one checkpoint, then all of them again in the
// next one, and looks up existing and missing entries. Half of the bytes do not compress.
func BenchmarkStore(b *testing.B) {
	const entries = 100_000
	key := func(i int) messages.Key {
		return messages.Key{Tenant: messages.DefaultTenant, Dashboard: fmt.Sprintf("dashboard-%06d", i)}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	state := make([]byte, 1024)
	before := rss(b)
	store, err := embedded.Open(embedded.Default(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	begin := time.Now()
	w, err := store.Begin(0)
	for i := 0; i < entries && err == nil; i++ {
		for j := range state {
			state[j] = byte(rng.Uint32() & 15)
		}
		err = w.Put(checkpoint.Entry{Key: key(i), Position: messages.Position{Lo: uint64(i)}, Summary: []byte("a summary of some thirty bytes"), State: state})
	}
	if err == nil {
		_, err = w.Commit(checkpoint.Marker{Position: messages.Position{Lo: entries}})
	}
	put := time.Since(begin)
	begin = time.Now()
	if err == nil {
		w, err = store.Begin(0)
	}
	for i := 0; i < entries && err == nil; i++ {
		err = w.Again(key(i))
	}
	if err == nil {
		_, err = w.Commit(checkpoint.Marker{Position: messages.Position{Lo: 2 * entries}})
	}
	if err != nil {
		b.Fatal(err)
	}
	again := time.Since(begin)
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Get(0, key(rng.IntN(entries))); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Get(0, key(entries+rng.IntN(entries))); err == nil {
				b.Fatal("found")
			}
		}
	})
	b.Run("list 100", func(b *testing.B) {
		for b.Loop() {
			n := 0
			err := store.List(0, messages.DefaultTenant, "", key(rng.IntN(entries-200)).Dashboard, func(checkpoint.Entry) bool {
				n++
				return n < 100
			})
			if err != nil || n != 100 {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("one dashboard", func(b *testing.B) { // a checkpoint of one changed dashboard
		for b.Loop() {
			w, err := store.Begin(1)
			if err == nil {
				err = w.Put(checkpoint.Entry{Key: key(0), State: state})
			}
			if err == nil {
				_, err = w.Commit(checkpoint.Marker{})
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("summary", func(b *testing.B) {
		for b.Loop() {
		}
		b.ReportMetric(put.Seconds(), "put-s")
		b.ReportMetric(again.Seconds(), "again-s")
		b.ReportMetric(float64(rss(b)-before)/(1<<20), "rss-MiB")
	})
}

// rss returns the resident size of this process, in bytes.
func rss(b *testing.B) int64 {
	b.Helper()
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
