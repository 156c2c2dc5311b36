package fold_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"pgregory.net/rapid"
)

// The engine answers what the reference answers, after every record of random logs under random
// definitions.
func TestWindowsAgainstReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts(10, 70).Draw(rt, "log")
		p := newPair(wrap(t, rt), s.first)
		for i := range s.steps {
			p.fold(&s.steps[i])
			p.check()
		}
		p.logTime += 300_000 // so that whatever idles becomes final
		p.check()
	})
}

// How often somebody reads makes no difference: here only some records are followed by a reading.
func TestWindowsReadSeldom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, d := scripts(10, 200).Draw(rt, "log"), chances(rt)
		p := newPair(wrap(t, rt), s.first)
		for i := range s.steps {
			p.fold(&s.steps[i])
			if d.often(3) {
				p.check()
			}
		}
		p.check()
	})
}

// bound adapts a rapid.T to a testing.TB: failures are rapid's, so that it shrinks them.
type bound struct {
	testing.TB
	rt *rapid.T
}

func wrap(t *testing.T, rt *rapid.T) testing.TB { return bound{t, rt} }

func (b bound) Helper()                   {}
func (b bound) Fatal(args ...any)         { b.rt.Fatal(args...) }
func (b bound) Fatalf(f string, a ...any) { b.rt.Fatalf(f, a...) }
func (b bound) Errorf(f string, a ...any) { b.rt.Errorf(f, a...) }
func (b bound) Logf(f string, a ...any)   { b.rt.Logf(f, a...) }

// Sessions close together, most of them late: purged ones lie between, below and over those that
// still grow, bridge and merge.
func TestSessionsAgainstReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draws(rt)
		gap := time.Duration(3+d(8)) * time.Second
		p := newPair(wrap(t, rt), plain(func(def *definition.Definition) {
			def.Time.Bound, def.Time.Lateness = pick(d, 0, time.Second), pick(d, 0, time.Second, gap)
			def.Time.Idle = pick(d, 0, 4*time.Second)
			panel := &def.Panels[0]
			panel.Window, panel.GroupBy = definition.Window{Kind: definition.Session, Size: gap}, []string{"labels.k"}
			panel.Keep, panel.MaxGroups, panel.Aggregates = pick(d, 60, 1, 4), pick(d, 1000, 1), []string{"count", "sum", "p50"}
		}))
		now := int64(100_000)
		for range 10 + d(50) {
			now += int64(d(4)) * 1000
			e := foldtest.Event{Metric: "m", Value: float64(d(9)), Labels: map[string]string{"k": pick(d, "a", "a", "a", "b")}}
			e.Time = now - int64(d(30))*1000 + pick[int64](d, 0, 0, 0, 1, -1)
			p.fold(&step{append: now, event: e})
			p.check()
		}
	})
}

// TestPercentilesAgree: a cell gets more values than are kept exactly, so that cells, panes and
// sessions switch to the sketch, each in its own way, while the state is written and read again.
func TestPercentilesAgree(t *testing.T) {
	percentiles := []string{"count", "min", "max", "p0.1", "p50", "p90", "p99.9"}
	def := plain(func(d *definition.Definition) {
		d.Panels = nil
		for _, w := range []definition.Window{
			{Kind: definition.Tumbling, Size: 10 * time.Second},
			{Kind: definition.Hopping, Size: 12 * time.Second, Every: 4 * time.Second},
			{Kind: definition.Session, Size: time.Second},
			{Kind: definition.Count, N: 70},
			{Kind: definition.Latest},
		} {
			d.Panels = append(d.Panels, definition.Panel{ID: string(w.Kind), Window: w, Keep: 60, MaxGroups: 1000, GroupBy: []string{"labels.k"}, Aggregates: percentiles})
		}
	})
	for seed := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, 5))
		p := newPair(t, def)
		now := int64(1_000_000)
		for i := range 600 {
			now += random.Int64N(250)
			e := foldtest.Event{Metric: "m", Time: now - random.Int64N(9_000), Labels: map[string]string{"k": []string{"a", "a", "b"}[random.IntN(3)]}}
			e.Value = []float64{random.NormFloat64() * 100, float64(random.IntN(5) - 2), random.ExpFloat64()}[random.IntN(3)]
			p.fold(&step{append: now, event: e})
			if i%20 == 0 {
				p.check()
			}
			if i%37 == 0 {
				p.engine = restarted(t, p.engine)
			}
		}
		p.check()
	}
}
