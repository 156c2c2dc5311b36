package definition_test

import (
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/event"
)

// BenchmarkWorstFilter measures the time of a unit of price for filters that are made to be slow:
// ns/unit.
func BenchmarkWorstFilter(b *testing.B) {
	words := strings.Repeat("a,", 8<<10-16)
	e := &event.Event{Metric: "m", Metadata: []byte(`{"t":"` + words + `"}`)}
	label := &event.Event{Metric: "m", Labels: []event.Label{{Name: "l", Value: strings.Repeat("a,", 128)}}}
	for name, c := range map[string]struct {
		src string
		e   *event.Event
	}{
		"pattern on metadata": {`metadata.t matches "(.*,){100}x"`, e},
		"pattern on a label":  {`labels.l matches "(.*,){150}x"`, label},
		"classes":             {`labels.l matches "(?i)(\\pL*[,;]?){60}x"`, label},
		"texts":               {strings.TrimSuffix(strings.Repeat(`string(metadata) + `, 20), "+ ") + ` == "x"`, e},
		"split":               {`split(string(metadata), ",") == split(string(metadata), "a")`, e},
		"deep":                {`metadata == metadata`, e},
		"upper":               {`upper(upper(string(metadata))) == ""`, e},
	} {
		b.Run(name, func(b *testing.B) {
			f, err := definition.CompileFilter(c.src)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				f.Match(c.e)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(f.Price(c.e)), "ns/unit")
			b.ReportMetric(float64(f.Price(c.e)), "units")
		})
	}
}
