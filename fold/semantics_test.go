package fold_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// plain returns a definition of one panel: tumbling 10 s, idle 10 s, lateness 30 s.
func plain(change func(d *definition.Definition)) *definition.Definition {
	d := &definition.Definition{
		Tenant: testKey.Tenant, Dashboard: testKey.Dashboard,
		Time:   definition.Time{Bound: 2 * time.Second, Idle: 10 * time.Second, MaxFuture: time.Minute, Lateness: 30 * time.Second},
		Dedupe: definition.Dedupe{By: definition.ByID, Horizon: 10 * time.Minute}, Tie: definition.TieOrder,
		Panels: []definition.Panel{{
			ID: "p", Window: definition.Window{Kind: definition.Tumbling, Size: 10 * time.Second}, Keep: 60, MaxGroups: 1000,
			GroupBy: []string{}, Aggregates: []string{"count"},
		}},
	}
	if change != nil {
		change(d)
	}
	return d
}

// One scenario for each rule of docs/SEMANTICS.md that is easy to get wrong. A log line is the
// append time in ms and what follows: t=TIME (else the append time; none) e=EVENTTIME of the record
// v=VALUE id=ID k=LABEL m=METRIC p=PRODUCER s=SEQUENCE, or "tick". Engine and reference are
// compared after each line; then the cells must be the ones written here.
var scenarios = []struct {
	rule   string
	change func(d *definition.Definition)
	log    string
	want   string
}{{
	rule: "S1 a time on a boundary belongs to the later window; negative times floor",
	log: `
		0 t=-1
		0 t=0
		10000 t=10000`,
	want: `
		[-10000, 0) 1: 1
		[0, 10000) 0: 1
		[10000, 20000) 0: 1`,
}, {
	rule: "S2 a fast clock moves W no further than the record's append time",
	log: `
		5000 t=60000
		5001 t=1000`,
	want: `
		[0, 10000) 0: 1
		[60000, 70000) 0: 1
		W 3000`,
}, {
	rule: "S2 idling makes final at L + idle + what the window lacks, and does not affect lateness",
	log: `
		5000 t=3000
		21999 tick`,
	want: `
		[0, 10000) 0: 1
		W 1000`,
}, {
	rule: "S2 the deadline applies at the instant itself",
	log: `
		5000 t=3000
		22000 tick`,
	want: `
		[0, 10000) 1: 1
		W 1000`,
}, {
	rule: "S2 an event in a window made final by idling corrects it",
	log: `
		5000 t=3000
		90000 t=4000`,
	want: `
		[0, 10000) 2: 2
		W 2000
		p: accepted 2 folded 2 late_accepted 1`,
}, {
	rule: "S3 final by W, corrected until purged, then refused; a new group in a final window begins at 2",
	change: func(d *definition.Definition) {
		d.Panels[0].GroupBy = []string{"labels.k"}
	},
	log: `
		5000 k=a
		12000 k=a
		12001 t=9999 k=a
		12002 t=1 k=b
		41999 k=a
		41999 t=2 k=a
		42000 k=a
		42001 t=3 k=a`,
	want: `
		[0, 10000) "a" 3: 3
		[0, 10000) "b" 2: 1
		[10000, 20000) "a" 1: 1
		[40000, 50000) "a" 0: 2
		p: accepted 8 folded 7 late_dropped 1 late_accepted 3`,
}, {
	rule: "S5 an event in the future is judged by log time",
	log: `
		100000 t=100000
		50000 t=160000
		50000 t=160001`,
	want: `
		[100000, 110000) 0: 1
		[160000, 170000) 0: 1
		future 1`,
}, {
	rule:   "S6 an id is a duplicate until W > time + horizon, and cannot be checked afterwards",
	change: func(d *definition.Definition) { d.Dedupe.Horizon, d.Time.Lateness = 5*time.Second, time.Hour },
	log: `
		1000 id=x
		8000 t=8000
		8000 t=1000 id=x
		8001 t=8001
		8001 t=1000 id=x
		8001 t=1000 id=y
		8001 t=1000`,
	want: `
		[0, 10000) 0: 4
		duplicates 1 horizon 2
		p: accepted 6 folded 4 late_dropped 2`,
}, {
	rule: "S6 an invented id is remembered by log time, and refuses nothing when it is forgotten",
	change: func(d *definition.Definition) {
		d.Dedupe.Horizon, d.Time.Lateness, d.Time.Idle = 5*time.Second, time.Hour, 0
	},
	log: `
		100000 t=100000
		100000 t=1000 id=~x
		105000 t=1000 id=~x
		105000 t=2000 id=~y
		105001 t=1000 id=~x
		105001 t=1000 id=~x
		105001 t=1000 id=x`,
	want: `
		[0, 10000) 4: 3
		[100000, 110000) 0: 1
		duplicates 2 horizon 1
		p: accepted 5 folded 4 late_dropped 1 late_accepted 3`,
}, {
	rule: "S6 so a file with the newest event first is accepted whole",
	change: func(d *definition.Definition) {
		d.Panels[0].Window, d.Panels[0].Keep = definition.Window{Kind: definition.Count, N: 2}, 9
		d.Dedupe.Horizon = time.Second
	},
	log: `
		900000 t=900000 id=~1
		900000 t=600000 id=~2
		900000 t=300000 id=~3
		900000 t=300000 id=~3`,
	want: `
		[0, 1) 1: 2
		[1, 2) 0: 1
		duplicates 1
		p: accepted 3 folded 3`,
}, {
	rule: "S7 ties are broken by log order",
	change: func(d *definition.Definition) {
		d.Panels[0].Aggregates = []string{"first", "last", "delta", "increase"}
	},
	log: `
		5000 v=5 t=5000 id=z
		5000 v=3 t=5000 id=a
		5000 v=9 t=4000 id=m`,
	want: `[0, 10000) 0: 9 3 -6 8`,
}, {
	rule: "S7 or by id, if the definition says so",
	change: func(d *definition.Definition) {
		d.Tie, d.Panels[0].Aggregates = definition.TieID, []string{"first", "last", "delta", "increase"}
	},
	log: `
		5000 v=5 t=5000 id=z
		5000 v=3 t=5000 id=a
		5000 v=9 t=4000 id=m`,
	want: `[0, 10000) 0: 9 5 -4 5`,
}, {
	rule: "S9 a late event bridges two sessions; the first keeps its cell",
	change: func(d *definition.Definition) {
		d.Panels[0].Window, d.Time.Idle = definition.Window{Kind: definition.Session, Size: 3 * time.Second}, 0
	},
	log: `
		1000
		7000
		7000 t=4000`,
	want: `
		[1000, 10000) 2: 3
		p: accepted 3 folded 3 late_accepted 1`,
}, {
	rule: "S9 open sessions merge into an open one; sessions that only touch merge too",
	change: func(d *definition.Definition) {
		d.Panels[0].Window = definition.Window{Kind: definition.Session, Size: 3 * time.Second}
		d.Time.Bound = 10 * time.Second
	},
	log: `
		1000
		4000
		8001`,
	want: `
		[1000, 7000) 0: 2
		[8001, 11001) 0: 1`,
}, {
	rule: "S9 merge first, then judge: what would be purged alone survives in a session that is not",
	change: func(d *definition.Definition) {
		d.Panels[0].Window = definition.Window{Kind: definition.Session, Size: 3 * time.Second}
		d.Time.Bound, d.Time.Lateness = 0, 0
	},
	log: `
		9000
		10000
		10000 t=6500
		10000 t=3000`,
	want: `
		[6500, 13000) 0: 3
		p: accepted 4 folded 3 late_dropped 1`,
}, {
	rule: "S9 a session that grows back to the start of a purged one takes its place",
	change: func(d *definition.Definition) {
		d.Panels[0].Window = definition.Window{Kind: definition.Session, Size: 3 * time.Second}
		d.Panels[0].GroupBy = []string{"labels.k"}
		d.Time.Bound, d.Time.Lateness = 0, 0
	},
	log: `
		1000 k=a
		4000 k=b
		4000 k=a
		4000 t=1000 k=a`,
	want: `
		[1000, 7000) "a" 0: 2
		[4000, 7000) "b" 0: 1`,
}, {
	rule: "S9 a session that grows back past the start of a purged one is found again",
	change: func(d *definition.Definition) {
		d.Panels[0].Window = definition.Window{Kind: definition.Session, Size: 10 * time.Second}
		d.Panels[0].GroupBy = []string{"labels.k"}
		d.Time.Bound, d.Time.Lateness = 0, 0
	},
	log: `
		100000 k=a
		111000 k=b
		111000 t=105000 k=a
		111000 t=99000 k=a
		112000 k=a`,
	want: `
		[100000, 110000) "a" 1: 1
		[99000, 122000) "a" 0: 3
		[111000, 121000) "b" 0: 1`,
}, {
	rule: "S9 also where it goes over several purged ones, and with all events of one group",
	change: func(d *definition.Definition) {
		d.Panels[0].Window = definition.Window{Kind: definition.Session, Size: 10 * time.Second}
		d.Time.Bound, d.Time.Lateness = 0, 0
	},
	log: `
		80000
		100000
		111000
		111000 t=105000
		111000 t=99000
		111000 t=91000
		111000 t=79000
		112000`,
	want: `
		[80000, 90000) 1: 1
		[100000, 110000) 1: 1
		[91000, 122000) 0: 5
		p: accepted 8 folded 7 late_dropped 1`,
}, {
	rule: "S11 count windows: full is final, the newest of each group stay",
	change: func(d *definition.Definition) {
		d.Panels[0].Window, d.Panels[0].Keep = definition.Window{Kind: definition.Count, N: 2}, 2
		d.Panels[0].Aggregates = []string{"count", "rate"}
	},
	log: `
		1000
		2000
		3000 v=2
		3500 v=2
		900 v=5`,
	want: `
		[1, 2) 1: 2 8
		[2, 3) 0: 1 5000`,
}, {
	rule:   "S13 missing, empty and spelled-out keys differ",
	change: func(d *definition.Definition) { d.Panels[0].GroupBy = []string{"labels.k"} },
	log: `
		1000
		1000 k=
		1000 k=null
		1000 k=__other__`,
	want: `
		[0, 10000) "" 0: 1
		[0, 10000) "__other__" 0: 1
		[0, 10000) "null" 0: 1
		[0, 10000) - 0: 1`,
}, {
	rule: "S15 the first keys get a row, the rest overflow; each window starts again",
	change: func(d *definition.Definition) {
		d.Panels[0].GroupBy, d.Panels[0].MaxGroups = []string{"labels.k"}, 1
		d.Panels[0].Aggregates = []string{"count", "last", "delta", "increase"}
	},
	log: `
		1000 k=a
		1000 k=b v=7
		1000 k=c v=8
		1000 k=a
		11000 k=b`,
	want: `
		[0, 10000) "a" 0: 2 1 0 0
		[0, 10000) (overflow) 0: 2 8 null null
		[10000, 20000) "b" 0: 1 1 0 0
		p: accepted 5 folded 5 overflowed 2`,
}, {
	rule: "S16 every percentile of one value is that value; of two, p50 is the lower and p95 the higher; none lies beyond min and max",
	change: func(d *definition.Definition) {
		d.Panels[0].GroupBy, d.Panels[0].Aggregates = []string{"labels.k"}, []string{"p0.1", "p50", "p95", "p99.9"}
	},
	log: `
		1000 k=a v=7
		1000 k=b v=1000
		1000 k=b v=1
		1000 k=c v=-5
		1000 k=c v=0
		1000 k=c v=5`,
	want: `
		[0, 10000) "a" 0: 7 7 7 7
		[0, 10000) "b" 0: 1 1 1000 1000
		[0, 10000) "c" 0: -5 0 5 5`,
}, {
	rule:   "S19, S20 an event without time has its record's event time, else its append time, and filters see that",
	change: func(d *definition.Definition) { d.Panels[0].Filter = `time % 2000 < 1000` },
	log: `
		4500 t=none
		5500 t=none
		5500 t=none e=2999
		5500 t=none e=3000
		5500 t=4999 e=3000`,
	want: `
		[0, 10000) 0: 3
		W 3500
		p: accepted 5 filtered 2 folded 3`,
}, {
	rule:   "keep: the panel shows its newest windows, and events of a window that left are hidden",
	change: func(d *definition.Definition) { d.Panels[0].Keep = 2 },
	log: `
		1000
		11000
		21000
		22000 t=1000
		22000 t=-5000`,
	want: `
		[10000, 20000) 0: 1
		[20000, 30000) 0: 1
		p: accepted 5 folded 5 late_accepted 2`,
}}

func TestSemantics(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.rule, func(t *testing.T) {
			p := newPair(t, plain(s.change))
			for line := range strings.Lines(strings.TrimSpace(s.log)) {
				p.fold(readStep(t, strings.Fields(line)))
				p.check()
			}
			var want []string
			for line := range strings.Lines(strings.TrimSpace(s.want)) {
				want = append(want, strings.TrimSpace(line))
			}
			got := p.render()
			for _, line := range want {
				if !slices.Contains(got, line) {
					t.Errorf("missing: %s", line)
				}
			}
			for _, line := range got {
				if strings.HasPrefix(line, "[") && !slices.Contains(want, line) {
					t.Errorf("not expected: %s", line)
				}
			}
			if t.Failed() {
				t.Logf("all:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func readStep(t *testing.T, fields []string) *step {
	number := func(text string) int64 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := &step{append: number(fields[0])}
	s.event = foldtest.Event{Metric: "m", Value: 1, Time: s.append, Labels: map[string]string{}}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "tick":
			s.kind = kindTick
		case "t":
			if value == "none" {
				s.event.Time, s.event.TimeStatus = 0, foldtest.Missing
			} else {
				s.event.Time = number(value)
			}
		case "e":
			s.eventTime = number(value)
		case "v":
			s.event.Value = float64(number(value))
		case "id":
			s.event.ID = value
		case "k":
			s.event.Labels["k"] = value
		case "m":
			s.event.Metric = value
		default:
			t.Fatalf("log line %v: %q is not known", fields, f)
		}
	}
	return s
}

// render returns the engine's state in the format of the scenarios: cells, then W, then counters.
func (p *pair) render() []string {
	var lines []string
	u, _ := p.engine.Since(0)
	for _, c := range sorted(u.Cells) {
		if int(c.Panel) == p.engine.Program().MetricsPanel() {
			continue
		}
		line := fmt.Sprintf("[%d, %d) ", c.Start, c.End)
		if g := groupName(c.Group); g != "" {
			line += g + " "
		}
		line += fmt.Sprintf("%d:", c.Revision)
		values, _ := c.Row.Values()
		for _, v := range values {
			line += " " + renderValue(v)
		}
		lines = append(lines, line)
	}
	c := p.engine.Counters()
	lines = append(lines, fmt.Sprintf("W %d", p.engine.Watermark()))
	lines = append(lines, renderCounts("", "invalid", c.Invalid, "future", c.Future, "duplicates", c.Duplicates, "horizon", c.Horizon))
	q := c.Panels["p"]
	return append(lines, renderCounts("p:", "accepted", q.Accepted, "filtered", q.Filtered, "folded", q.Folded, "late_dropped", q.LateDropped, "late_accepted", q.LateAccepted, "overflowed", q.Overflowed))
}

// renderCounts leaves out zeros.
func renderCounts(line string, pairs ...any) string {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != uint64(0) {
			line += fmt.Sprintf(" %s %d", pairs[i], pairs[i+1])
		}
	}
	return strings.TrimSpace(line)
}

func renderValue(v cells.Value) string {
	switch v.Kind {
	case cells.Float:
		return strconv.FormatFloat(v.Float, 'g', -1, 64)
	case cells.Int:
		return strconv.FormatInt(v.Int, 10)
	case cells.JSON:
		return v.JSON
	}
	return "null"
}
