package actors

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// BenchmarkHundredThousandDashboards gives each dashboard ten events of two metrics under the
// default definition, and reports how much memory has grown, with the dashboards awake and asleep.
// The log and the checkpoints are on disk.
//
//	go test ./actors -run '^$' -bench HundredThousand -benchtime 1x
func BenchmarkHundredThousandDashboards(b *testing.B) {
	const dashboards = 100_000
	for range b.N {
		h, metrics := newDiskHost(b)
		fill(b, h, "warm", 100, 1000) // fills the buffers of the storage engine
		until(b, "warm", func() bool {
			return gather(b, metrics, "dashfeed_records_total") == 100_000 && gather(b, metrics, "dashfeed_checkpoint_pending") == 0
		})
		heap0, rss0 := memory(b)
		fill(b, h, "dashboard", dashboards, 10)
		awake := func() int { return int(gather(b, metrics, "dashfeed_dashboards")) }
		folded := func() float64 { return gather(b, metrics, "dashboard_messages_processed_total") }
		settled := func() bool { return gather(b, metrics, "dashfeed_checkpoint_pending") == 0 }
		until(b, "awake", func() bool { return awake() >= dashboards && folded() == 1_100_000 })
		heap1, rss1 := memory(b)
		b.ReportMetric(float64(heap1-heap0)/dashboards, "heap-B/awake")
		b.ReportMetric(float64(rss1-rss0)/(1<<20), "rss-MiB-awake")
		until(b, "asleep", func() bool { return awake() == 0 })
		until(b, "written twice", settled)
		heap2, rss2 := memory(b)
		b.ReportMetric(float64(heap2-heap0)/dashboards, "heap-B/asleep")
		b.ReportMetric(float64(rss2-rss0)/(1<<20), "rss-MiB-asleep")
	}
}

func newDiskHost(b *testing.B) (*Host, *prometheus.Registry) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	lc, cc := logs.Default(b.TempDir()), checkpoints.Default(b.TempDir())
	lc.Storage.Logger, cc.Storage.Logger = quiet, quiet
	log, err := logs.Open(lc)
	check(b, err)
	store, err := checkpoints.Open(cc)
	check(b, err)
	c := Default()
	c.Log, c.Checkpoints, c.Logger, c.Metrics = log, store, quiet, prometheus.NewRegistry()
	c.CheckpointEvery, c.SleepAfter = time.Second, 90*time.Second
	h, err := New(c)
	check(b, err)
	check(b, h.Start(b.Context()))
	h.OwnAll()
	b.Cleanup(func() {
		check(b, h.Stop(context.Background())) // the benchmark's own context has ended by now
		check(b, store.Close())
		check(b, log.Close())
	})
	return h, c.Metrics.(*prometheus.Registry)
}

// fill appends events of two metrics, one per dashboard and round, all in one window.
func fill(b *testing.B, h *Host, prefix string, dashboards, rounds int) {
	began := time.Now().UnixMilli()
	var entries []eventlog.Entry
	for round := range rounds {
		for i := range dashboards {
			name := fmt.Sprint(prefix, "-", i)
			entries = append(entries, eventlog.Entry{Kind: messages.KindEvent, Key: key(name), Payload: fmt.Appendf(nil,
				`{"id":"%d-%d","dashboard":%q,"metric":"m%d","value":%d,"time":%d}`, i, round, name, round%2, round, began)})
			if len(entries) == 1000 {
				_, err := h.config.Log.Append(b.Context(), entries)
				check(b, err)
				entries = entries[:0]
			}
		}
	}
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func until(b *testing.B, what string, done func() bool) {
	b.Helper()
	for end := time.Now().Add(5 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not in time: %s", what)
		}
	}
}

// gather sums up a metric over its labels.
func gather(b *testing.B, r *prometheus.Registry, name string) (sum float64) {
	families, err := r.Gather()
	check(b, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// memory returns the live heap and the resident set, in bytes.
func memory(b *testing.B) (heap, rss int64) {
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	check(b, err)
	b.Logf("heap in use %d idle %d, stacks %d, other %d MiB", m.HeapInuse>>20, (m.HeapIdle-m.HeapReleased)>>20, m.StackInuse>>20, (m.MSpanSys+m.MCacheSys+m.GCSys+m.OtherSys+m.BuckHashSys)>>20)
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	check(b, err)
	return int64(m.HeapAlloc), pages * int64(os.Getpagesize())
}

func emptyStore(b *testing.B) *checkpoints.Store {
	c := checkpoints.Default(b.TempDir())
	c.Storage.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := checkpoints.Open(c)
	check(b, err)
	b.Cleanup(func() { check(b, store.Close()) })
	return store
}
