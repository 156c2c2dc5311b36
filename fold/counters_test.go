package fold_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// Every list, table and memory has a bound, and what exceeds it is counted.
func TestListsAreBounded(t *testing.T) {
	p := newPair(t, plain(nil))
	p.fold(&step{append: 1_000_000, event: foldtest.Event{Metric: "m", Time: 1_000_000}})
	for i := range int64(150) {
		p.fold(&step{append: 1_000_001, event: foldtest.Event{ID: fmt.Sprint("late", i), Metric: "m", Time: i}})
		p.fold(&step{append: 1_000_001, event: foldtest.Event{ID: fmt.Sprint("future", i), Metric: "m", Time: 2_000_000 + i}})
	}
	p.check()
	late, refused := p.engine.Late(), p.engine.Refused()
	if len(late) != 100 || late[99].ID != "late149" || len(refused) != 100 || refused[99].ID != "future149" {
		t.Errorf("%d late, %d refused; want 100 each, the newest last", len(late), len(refused))
	}
	if c := p.engine.Counters(); c.Future != 150 || c.Panels["p"].LateDropped+c.Horizon < 150 {
		t.Errorf("counters %+v", c)
	}
}

func TestMetricsAreBounded(t *testing.T) {
	p := newPair(t, plain(nil))
	for i := range 1010 {
		p.fold(&step{append: 1_000_000, event: foldtest.Event{Metric: fmt.Sprint("m", i), Time: 1_000_000}})
	}
	p.fold(&step{append: 1_000_000, event: foldtest.Event{Metric: "m0", Value: 7, Time: 1_000_000}})
	p.check()
	if c := p.engine.Counters(); c.MetricsDropped != 10 {
		t.Errorf("%d metrics dropped, want 10", c.MetricsDropped)
	}
}

func TestSamplesAreBounded(t *testing.T) {
	p := newPair(t, plain(func(d *definition.Definition) {
		d.Panels[0].Aggregates = []string{"count", "delta", "increase", "last"}
	}))
	for i := range 1030 {
		p.fold(&step{append: 1_000_000, event: foldtest.Event{Metric: "m", Value: float64(i % 500), Time: 1_000_000 + int64(i*7)%1_500}})
		if i == 1023 || i == 1024 {
			p.check()
		}
	}
	p.check()
	if c := p.engine.Counters().Panels["p"]; c.Unsampled != 6 {
		t.Errorf("%d unsampled, want 6", c.Unsampled)
	}
}

// With more than 1,024 ranges of one producer's sequences the lowest hole is closed, and a sequence
// in it is refused later.
func TestProducerRangesAreBounded(t *testing.T) {
	p := newPair(t, plain(func(d *definition.Definition) { d.Dedupe.By = definition.ByProducer }))
	send := func(sequence uint64) {
		p.fold(&step{append: 1_000_000, event: foldtest.Event{Metric: "m", Time: 1_000_000, Producer: "p", Sequence: sequence, HasSequence: true}})
	}
	for i := range uint64(1026) {
		send(2 * i) // 1,026 ranges: the holes 1 and 3 are closed
	}
	p.check()
	send(1)
	send(3)
	send(5) // closes no hole but its own
	send(5)
	send(2050)
	p.check()
	if c := p.engine.Counters(); c.Horizon != 2 || c.Duplicates != 2 || c.Accepted != 1029 {
		t.Errorf("counters %+v, want 2 horizon, 2 duplicates, 1,029 accepted", c)
	}
}

// max_ids: the id with the lowest time is dropped; an event not later than it can no longer be
// checked.
func TestIDsAreBounded(t *testing.T) {
	d := fold.New(testKey, "local", compile(plain(nil)))
	fold1 := func(id string, ms int64) {
		at := fold.At{Position: messages.Position{Lo: 1}, LogTime: 1_000_000, Append: 1_000_000}
		d.Event(at, &event.Event{ID: id, Metric: "m", Time: ms})
	}
	for i := range foldtest.MaxIDs {
		fold1(fmt.Sprint(i), 900_000+int64(i))
	}
	fold1("0", 900_000)
	if c := d.Counters(); c.Duplicates != 1 || c.Accepted != foldtest.MaxIDs {
		t.Fatalf("before the bound: %d duplicates, %d accepted", c.Duplicates, c.Accepted)
	}
	fold1("one more", 999_999)
	fold1("0", 900_000)
	fold1("1", 900_001)
	fold1("new but too old", 900_000)
	if c := d.Counters(); c.Duplicates != 2 || c.Horizon != 2 || c.Accepted != foldtest.MaxIDs+3 {
		t.Errorf("beyond the bound: %d duplicates, %d horizon, %d accepted; want 2, 2, %d", c.Duplicates, c.Horizon, c.Accepted, foldtest.MaxIDs+3)
	}
}

// No time of an event moves the watermark beyond the log's time, panics or overflows.
func TestExtremeTimes(t *testing.T) {
	kinds := []definition.Window{
		{Kind: definition.Tumbling, Size: 10 * time.Second},
		{Kind: definition.Hopping, Size: 10 * time.Second, Every: 3 * time.Second},
		{Kind: definition.Session, Size: 10 * time.Second},
		{Kind: definition.Count, N: 2},
		{Kind: definition.Latest},
	}
	def := plain(func(d *definition.Definition) {
		d.Panels = nil
		for i, w := range kinds {
			d.Panels = append(d.Panels, definition.Panel{ID: fmt.Sprint("p", i), Window: w, Keep: 3, MaxGroups: 2, GroupBy: []string{}, Aggregates: []string{"count", "sum", "rate", "last"}})
		}
	})
	d := fold.New(testKey, "local", compile(def))
	times := []int64{math.MinInt64, math.MaxInt64, math.MinInt64 + 1, math.MaxInt64 - 1, -1, 0, 1, 1 << 53, -1 << 53, 1_000_000}
	for i, ms := range append(times, times...) {
		at := fold.At{Position: messages.Position{Lo: uint64(i + 1)}, LogTime: 1_000_000 + int64(i), Append: 1_000_000}
		d.Event(at, &event.Event{Metric: "m", Value: 1, Time: ms})
		d.Advance(at.LogTime)
		if w := d.Watermark(); w != messages.NoTime && w > 1_000_000 {
			t.Fatalf("an event of %d moved the watermark to %d", ms, w)
		}
	}
	c := d.Counters()
	if c.Accepted+c.Future+c.Invalid != uint64(2*len(times)) {
		t.Errorf("counters %+v", c)
	}
	for id, p := range c.Panels {
		if p.Accepted != p.Filtered+p.LateDropped+p.Folded {
			t.Errorf("panel %s: %+v", id, p)
		}
	}
	if w := d.Watermark(); w != 998_000 {
		t.Errorf("watermark %d, want 998000", w)
	}
	restarted(t, d)
}

// A value that is marked OK but is not finite neither aggregates nor moves W (S4).
func TestNaNIsInvalid(t *testing.T) {
	d := fold.New(testKey, "local", compile(plain(nil)))
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		d.Event(fold.At{Position: messages.Position{Lo: uint64(i + 1)}, LogTime: 5_000, Append: 5_000}, &event.Event{Metric: "m", Value: v, Time: 5_000})
	}
	if c := d.Counters(); c.Invalid != 3 || c.InvalidReasons["range"] != 3 || d.Watermark() != messages.NoTime {
		t.Errorf("counters %+v, watermark %d", c, d.Watermark())
	}
}

// Decode refuses what is not a state, and does not panic.
func TestCorruptStates(t *testing.T) {
	p := newPair(t, plain(func(d *definition.Definition) { d.Panels[0].Aggregates = []string{"count", "p95", "increase"} }))
	for i := range int64(20) {
		p.fold(&step{append: 1_000_000 + i, event: foldtest.Event{ID: fmt.Sprint(i), Metric: "m", Value: float64(i), Time: 1_000_000 + i}})
	}
	whole := p.engine.Append(nil)
	for n := range whole {
		if _, err := decode(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were read as a state", n, len(whole))
		}
	}
	for i := range whole {
		changed := []byte(string(whole))
		changed[i] ^= 0xff
		decode(changed)
	}
	if _, err := decode([]byte(strings.Repeat("\xff", 64))); err == nil {
		t.Error("garbage was read as a state")
	}
}
