package fold_test

import (
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// TestNoAllocations: in steady state, when cells and groups exist, an event allocates nothing,
// whatever the window.
func TestNoAllocations(t *testing.T) {
	for name, w := range map[string]definition.Window{
		"tumbling": {Kind: definition.Tumbling, Size: time.Hour},
		"hopping":  {Kind: definition.Hopping, Size: time.Hour, Every: 20 * time.Minute},
		"session":  {Kind: definition.Session, Size: time.Hour},
		"count":    {Kind: definition.Count, N: 1 << 20},
		"latest":   {Kind: definition.Latest},
	} {
		t.Run(name, func(t *testing.T) {
			def := onePanel(w, []string{"labels.host", "metric"}, "count", "sum", "min", "max", "first", "last", "p99", "stddev", "rate")
			def.Dedupe.Horizon, def.Time.Bound = time.Second, 0
			p, err := fold.Compile(def, fold.Builtin())
			if err != nil {
				t.Fatal(err)
			}
			d := fold.New(messages.Key{Tenant: "default", Dashboard: "d"}, "local", p)
			events := benchEvents(50, 1<<14)
			n := 0
			one := func() {
				e := &events[n%len(events)]
				n++
				e.Time = 1_795_420_800_000 + int64(n)/10 // the beginning of an hour
				d.Event(fold.At{Position: messages.Position{Lo: uint64(n)}, LogTime: e.Time, Append: e.Time}, e)
			}
			for range 1 << 16 {
				one()
			}
			if got := testing.AllocsPerRun(10_000, one); got != 0 {
				t.Errorf("%v allocations an event", got)
			}
			if c := d.Counters(); c.Accepted != uint64(n) {
				t.Errorf("%d of %d events were accepted", c.Accepted, n)
			}
		})
	}
}
