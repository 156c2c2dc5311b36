package fold_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

const benchStart = 1_795_422_000_000

// benchDefinition is the panel that the performance goals refer to.
func benchDefinition(by definition.DedupeBy) *definition.Definition {
	d := definition.Default("default")
	d.Dedupe.By = by
	d.Panels = []definition.Panel{{
		ID: "window", Window: definition.Window{Kind: definition.Tumbling, Size: 10 * time.Second}, Keep: 6,
		GroupBy: []string{"labels.host"}, Aggregates: []string{"count", "sum", "min", "max"}, MaxGroups: 1000,
	}}
	return d
}

func benchEvents(groups, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			ID: fmt.Sprintf("e-%d", i), Metric: "latency", Value: float64(i % 977),
			Labels: []event.Label{{Name: "host", Value: fmt.Sprintf("host-%04d", (i*7919)%groups)}},
		}
	}
	return events
}

// BenchmarkEvent measures the goal of 150 ns and no allocation for an event: 1,000 groups, tumbling
// 10 s, four aggregates, no dedupe, no filter; 100,000 events per second of event time.
func BenchmarkEvent(b *testing.B) {
	bench(b, definition.ByNone, 100, benchEvents(1000, 1000))
}

// BenchmarkEventDedupe adds dedupe over 10,000 remembered ids.
func BenchmarkEventDedupe(b *testing.B) {
	bench(b, definition.ByID, 100, benchEvents(1000, 1<<16))
}

// BenchmarkEventSparse is the worst case: ten events per window and group, so that cells are
// created and rows written.
func BenchmarkEventSparse(b *testing.B) {
	bench(b, definition.ByNone, 1, benchEvents(1000, 1000))
}

// BenchmarkJSONToFolded measures the goal of 700 ns from an event's 204 bytes of JSON to the fold,
// with dedupe over 10,000 ids.
func BenchmarkJSONToFolded(b *testing.B) {
	payloads := make([][]byte, 1<<16)
	for i := range payloads {
		payloads[i] = fmt.Appendf(nil, `{"id":"order-%08d","tenant":"default","dashboard":"bench","metric":"checkout.latency","value":%d.25,`+
			`"time":%d,"labels":{"country":"DE","host":"host-%04d"},"metadata":{"unit":"ms","sdk":"go"}}`, i, i%977, benchStart, (i*7919)%1000)
	}
	var decoder event.Decoder
	var e event.Event
	benchFold(b, definition.ByID, 100, func(i int) *event.Event {
		if err := decoder.Decode(payloads[i%len(payloads)], &e); err != nil {
			b.Fatal(err)
		}
		return &e
	})
}

// BenchmarkYardstick decodes an event of the same shape with encoding/json. Others use the machine
// too; this shows how fast it is at the moment (2.4 us when idle).
func BenchmarkYardstick(b *testing.B) {
	payload := fmt.Appendf(nil, `{"id":"order-%08d","tenant":"default","dashboard":"bench","metric":"checkout.latency","value":%d.25,`+
		`"time":%d,"labels":{"country":"DE","host":"host-%04d"},"metadata":{"unit":"ms","sdk":"go"}}`, 1, 977, benchStart, 42)
	before := cpuTime(b)
	for b.Loop() {
		var e struct {
			ID, Tenant, Dashboard, Metric string
			Value                         float64
			Time                          int64
			Labels                        map[string]string
			Metadata                      json.RawMessage
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// bench folds the events in a ring, perMs of them in each ms of event time. Compare cpu-ns/op,
// because others use the machine too.
func bench(b *testing.B, by definition.DedupeBy, perMs int, events []event.Event) {
	benchFold(b, by, perMs, func(i int) *event.Event { return &events[i%len(events)] })
}

// benchFold folds the events that next returns for 0, 1, 2, …
func benchFold(b *testing.B, by definition.DedupeBy, perMs int, next func(i int) *event.Event) {
	def := benchDefinition(by)
	def.Dedupe.Horizon = time.Duration(10_000/perMs) * time.Millisecond
	def.Time.Bound = 0
	p, err := fold.Compile(def, fold.Builtin())
	if err != nil {
		b.Fatal(err)
	}
	d := fold.New(messages.Key{Tenant: "default", Dashboard: "bench"}, "local", p)
	n := 0
	one := func() {
		e := next(n)
		n++
		e.Time = benchStart + int64(n/perMs)
		d.Event(fold.At{Position: messages.Position{Lo: uint64(n)}, LogTime: e.Time, Append: e.Time}, e)
	}
	for range 10_000 * perMs * 3 {
		one()
	}
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime returns the CPU time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestBytesPerDashboard measures the memory of a small awake dashboard: 10 events of 2 metrics with
// the default definition.
func TestBytesPerDashboard(t *testing.T) {
	if testing.Short() {
		t.Skip("fills 40 MB")
	}
	const n, most = 20_000, 1900
	p, err := fold.Compile(definition.Default("default"), fold.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*fold.Dashboard, n)
	keys := make([]messages.Key, n)
	for i := range keys {
		keys[i] = messages.Key{Tenant: "default", Dashboard: fmt.Sprintf("d-%d", i)}
	}
	events := benchEvents(1, 10)
	before := heap()
	for i := range all {
		all[i] = fold.New(keys[i], "local", p)
		for j := range events {
			e := &events[j]
			e.Metric = []string{"latency", "errors"}[j%2]
			e.Time = benchStart + int64(j)*100
			all[i].Event(fold.At{Position: messages.Position{Lo: uint64(j + 1)}, LogTime: e.Time, Append: e.Time}, e)
		}
	}
	unread := (heap() - before) / n
	for _, d := range all {
		d.Since(d.Version() - 1)
	}
	read := (heap() - before) / n
	runtime.KeepAlive(all)
	t.Logf("%d bytes a dashboard, %d once its rows were read", unread, read)
	if read > most {
		t.Errorf("a small dashboard costs %d bytes, more than %d", read, most)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
