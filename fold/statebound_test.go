package fold_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/event"
)

// wide returns an event of group n, whose key is long.
func wide(n int, metadata int) event.Event {
	e := labelled(fmt.Sprintf("%06d", n)+strings.Repeat("k", event.MaxLabelValueBytes-6), int64(1000+n%1000))
	if metadata > 0 {
		e.Metadata = []byte(`"` + strings.Repeat("m", metadata) + `"`)
	}
	return e
}

// bounded holds states that would grow beyond their bound: by keys, samples, metadata, values of
// many sizes, producers.
var bounded = map[string]struct {
	definition func() *definition.Definition
	event      func(n int) event.Event
	events     int
}{
	"keys": {
		func() *definition.Definition { return onePanel(tumbling10s, []string{"labels.k"}, "count") },
		func(n int) event.Event { return wide(n, 0) },
		20_000,
	},
	"samples": {
		func() *definition.Definition { return onePanel(tumbling10s, []string{"labels.k"}, "increase") },
		func(n int) event.Event { return wide(n%500, 0) },
		300_000,
	},
	"metadata": {
		func() *definition.Definition {
			return onePanel(definition.Window{Kind: definition.Latest}, []string{"labels.k"})
		},
		func(n int) event.Event { return wide(n%4000, n/4000*1000) },
		12_000,
	},
	"producers": {
		func() *definition.Definition {
			d := onePanel(tumbling10s, []string{"labels.k"}, "count")
			d.Dedupe.By = definition.ByProducer
			return d
		},
		func(n int) event.Event {
			e := labelled("k", 1000)
			e.Producer, e.Sequence, e.HasSequence = fmt.Sprintf("%0200d", n%1000), uint64(n/1000*2), true
			if n >= 299_000 {
				e.Sequence = 1 // in a hole that had to be closed
			}
			return e
		},
		300_000,
	},
}

// TestBoundOfState: beyond the bound nothing new is remembered; every event is still counted
// somewhere, and a restart makes no difference.
func TestBoundOfState(t *testing.T) {
	for name, c := range bounded {
		t.Run(name, func(t *testing.T) {
			d := feedOf(t, c.definition())
			var again *fed
			for n := range c.events {
				if n == c.events*3/4 {
					decoded, err := fold.Decode(d.Append(nil), func([]byte) (*fold.Program, error) { return d.Program(), nil })
					if err != nil {
						t.Fatal(err)
					}
					again = &fed{decoded, d.n}
				}
				d.event(c.event(n))
				if again != nil {
					again.event(c.event(n))
				}
			}
			state := d.Append(nil)
			if most := fold.MaxStateBytes * 5 / 4; len(state) > most {
				t.Errorf("the state has %d bytes, want at most %d", len(state), most)
			}
			if !bytes.Equal(state, again.Append(nil)) {
				t.Error("the state differs after a restart")
			}
			p := d.Counters().Panels["p"]
			if p.Folded+p.LateDropped != uint64(c.events) {
				t.Errorf("%d events are folded and %d dropped, want %d together", p.Folded, p.LateDropped, c.events)
			}
			if told := p.Overflowed + p.Unsampled + d.Counters().Horizon; told == 0 {
				t.Errorf("no counter tells that a bound was reached: %+v", p)
			}
		})
	}
}
