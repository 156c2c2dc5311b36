package definition_test

import (
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/event"
)

func filterEvent() *event.Event {
	return &event.Event{
		ID: "e-1", Metric: "latency", Value: 12.5, Time: 1795422000371,
		Labels:   []event.Label{{Name: "a.b", Value: "dot"}, {Name: "country", Value: "DE"}, {Name: "empty", Value: ""}},
		Metadata: []byte(`{"unit":"ms","tags":["x","y"],"n":3}`),
	}
}

func TestFilterMatch(t *testing.T) {
	for src, want := range map[string]bool{
		`metric == "latency" && value > 0 && labels.country != "XX"`: true,
		`value > 12.5`:                         false,
		`value >= 12.5 and value < 13`:         true,
		`time == 1795422000371`:                true,
		`time % 1000 == 371`:                   true,
		`id startsWith "e-"`:                   true,
		`labels["a.b"] == "dot"`:               true,
		`labels.missing == nil`:                true, // S13: missing is not ""
		`labels.missing == ""`:                 false,
		`labels.empty == ""`:                   true,
		`labels.empty == nil`:                  false,
		`labels.missing != "XX"`:               true,
		`labels.missing > "a"`:                 false, // fails, so the event does not pass
		`!(labels.missing > "a")`:              false,
		`labels[metric] == nil`:                true,
		`"country" in labels`:                  true,
		`labels.country in ["DE", "FR"]`:       true,
		`len(labels) == 3`:                     true,
		`metadata.unit == "ms"`:                true,
		`metadata.tags[1] == "y"`:              true,
		`metadata.n + 1 == 4`:                  true,
		`metadata.nothing.deeper == 1`:         false,
		`metadata?.nothing?.deeper == nil`:     true,
		`(labels.missing ?? "none") == "none"`: true,
		`metric matches "^lat.*y$"`:            true,
		`upper(labels.country) == "DE"`:        true,
		`float("12.5") == value`:               true,
		`round(value) == 13`:                   true,
		`split("a,b", ",")[1] == "b"`:          true,
		`max(value, 20) == 20`:                 true,
		`labels.country`:                       false, // not a bool at run time
		`metadata`:                             false,
		`true`:                                 true,
	} {
		f, err := definition.CompileFilter(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		for range 2 { // the second time with a used state
			if got := f.Match(filterEvent()); got != want {
				t.Errorf("%s: %v, want %v", src, got, want)
			}
		}
	}
}

func TestFilterRefused(t *testing.T) {
	for src, want := range map[string]string{
		`value`:                               "expected bool",
		`metric`:                              "expected bool",
		``:                                    "unexpected token EOF",
		`value >`:                             "unexpected token EOF",
		`host == "a"`:                         "unknown name host",
		`value == "a"`:                        "mismatched types",
		`now() > 1`:                           "unknown name now",
		`date("2020-01-01") == 1`:             "unknown name date",
		`duration("1s") == 1`:                 "unknown name duration",
		`timezone("UTC") == 1`:                "unknown name timezone",
		`keys(labels)[0] == "a"`:              "unknown name keys",
		`values(labels)[0] == "a"`:            "unknown name values",
		`toPairs(labels) == nil`:              "unknown name toPairs",
		`fromJSON("1") == 1`:                  "unknown name fromJSON",
		`toJSON(labels) == ""`:                "unknown name toJSON",
		`repeat(metric, 9) == ""`:             "unknown name repeat",
		`replace(metric, "a", "aa") == ""`:    "unknown name replace",
		`all(metadata.tags, # == "x")`:        "predicates",
		`any(1..1000000, {# == value})`:       "ranges",
		`count(metadata.tags, # == "x") == 1`: "predicates",
		`5 in 1..1000000`:                     "ranges (..) are not available",
		`let a = metric + metric; let b = a + a; b == ""`: "variables (let, ;) are not available",
		`true; false`:                                    "variables (let, ;) are not available",
		`$env["metric"] == "a"`:                          "$env is not available",
		`metric matches labels.pattern`:                  "the pattern of matches must be written out",
		`trim(metric, id) == ""`:                         "the characters that trim takes away must be written out",
		`metric matches "("`:                             "missing closing )",
		`if value > 1 { true } else { false }`:           "unexpected token",
		strings.Repeat("1+", 600) + "1 > 0":              "exceeds maximum allowed nodes",
		`metric == "` + strings.Repeat("x", 4<<10) + `"`: "4108 bytes, at most 4096 are allowed",
		strings.Repeat("(", 4000):                        "unexpected token EOF",
	} {
		_, err := definition.CompileFilter(src)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.60s: got %v, want an error of one line with %q", src, err, want)
		}
	}
}

// Every function of the list exists, and nothing else of expr does.
func TestFilterFunctions(t *testing.T) {
	for _, name := range definition.FilterFunctions {
		_, err := definition.CompileFilter(name + "() == 1")
		if err == nil || strings.Contains(err.Error(), "unknown name") {
			t.Errorf("%s: %v, want a complaint about arguments", name, err)
		}
	}
}

// The decoder writes the next event over the strings of the previous one.
func TestFilterKeepsCopies(t *testing.T) {
	f, err := definition.CompileFilter(`metric == "latency" and labels.country == "DE"`)
	if err != nil {
		t.Fatal(err)
	}
	metric, country := []byte("latency"), []byte("DE")
	for _, c := range []struct {
		metric, country string
		want            bool
	}{{"latency", "DE", true}, {"latencx", "DE", false}, {"latency", "FR", false}, {"latency", "DE", true}} {
		copy(metric, c.metric)
		copy(country, c.country)
		e := event.Event{Metric: alias(metric), Labels: []event.Label{{Name: "country", Value: alias(country)}}}
		if got := f.Match(&e); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.metric, c.country, got, c.want)
		}
	}
	e := event.Event{Metric: "latency"}
	if f.Match(&e) {
		t.Error("the label of the previous event was still there")
	}
}

func TestFilterConcurrently(t *testing.T) {
	f, err := definition.CompileFilter(`value > 100 and labels.country == "DE"`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			e := filterEvent()
			for i := range 2000 {
				e.Value = float64(i%2*100 + g + 1)
				if got, want := f.Match(e), i%2 == 1; got != want {
					t.Errorf("value %v: %v, want %v", e.Value, got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkFilterMatch(b *testing.B) {
	for _, c := range []struct{ name, src string }{
		{"metric", `metric == "latency"`},
		{"value", `value > 0`},
		{"labels", `metric == "latency" && value > 0 && labels.country != "XX"`},
		{"metadata", `metadata.unit == "ms"`},
		{"fails", `labels.missing > "a"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			f, err := definition.CompileFilter(c.src)
			if err != nil {
				b.Fatal(err)
			}
			e := filterEvent()
			b.ReportAllocs()
			for b.Loop() {
				f.Match(e)
			}
		})
	}
}

func alias(b []byte) string { return unsafe.String(&b[0], len(b)) }
