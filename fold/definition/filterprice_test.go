package definition_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/event"
)

// largest returns the largest possible event.
func largest() *event.Event {
	e := &event.Event{
		ID: strings.Repeat("i", event.MaxIDBytes), Metric: strings.Repeat("m", event.MaxMetricBytes), Value: 1, Time: 1,
		Metadata: []byte(`{"t":"` + strings.Repeat("a,", event.MaxMetadataBytes/2-4) + `"}`),
	}
	for i := range event.MaxLabels {
		name := fmt.Sprintf("l%02d", i)
		e.Labels = append(e.Labels, event.Label{
			Name: name + strings.Repeat("x", event.MaxLabelNameBytes-len(name)), Value: strings.Repeat("a,", event.MaxLabelValueBytes/2),
		})
	}
	return e
}

// TestFilterPriceOfOrdinaryFilters: what people write is free for every event, or far below the
// limit.
func TestFilterPriceOfOrdinaryFilters(t *testing.T) {
	for _, src := range []string{
		`metric == "latency" && value > 0 && labels.country != "XX"`,
		`labels.country in ["DE", "FR"] || labels.region startsWith "eu-"`,
		`int(labels.status) >= 500`,
		`upper(labels.a) == "B" && id contains "x"`,
	} {
		if price := compile(t, src).Price(largest()); price != 0 {
			t.Errorf("%s: %d units for the largest event, want 0: it is negligible", src, price)
		}
	}
	for _, src := range []string{
		`labels.path matches "^/api/v[0-9]+/(orders|carts)/[0-9a-f-]{36}$"`,
		`metadata?.unit == "ms"`,
		`len(labels) > 3 && labels[metric] == "x"`,
		`lower(string(metadata?.message)) contains "timeout"`,
		`metadata.user == labels.user && metadata.tags[0] == metric`,
	} {
		if price := compile(t, src).Price(largest()); price > definition.MaxFilterPrice {
			t.Errorf("%s: %d units for the largest event, want at most %d", src, price, definition.MaxFilterPrice)
		}
	}
}

// TestFilterPriceOfCostlyFilters: each of these takes from a millisecond to minutes for the largest
// event.
func TestFilterPriceOfCostlyFilters(t *testing.T) {
	many := func(n int, operand, with string) string {
		return strings.TrimSuffix(strings.Repeat(operand+" "+with+" ", n), " "+with+" ")
	}
	for name, src := range map[string]string{
		"a long pattern":      `metadata.t matches "(.*,){99}x"`,
		"through a function":  `trim(metadata.t) matches "(.*,){99}x"`,
		"of text joined":      many(40, `metadata.t`, "+") + ` matches "a.*x"`,
		"many patterns":       many(70, `id matches "(.*,){30}x"`, "or"),
		"joined on the right": `("" + metadata.t + metadata.t) matches "a,b,c"`,
		"under a condition":   `(value > 1 ? metadata.t : id) matches "(.*,){99}x"`,
		"in a list":           `[metadata.t][0] matches "(.*,){99}x"`,
		"in a map":            `{"a": metadata.t}["a"] matches "(.*,){99}x"`,
		"all labels":          `string(labels) matches "(.*,){99}x"`,
		"a part of it":        `metadata.t[1:] matches "(.*,){99}x"`,
		"metadata as text":    `string(metadata) matches "(.*,){99}x"`,
		"text joined":         "(" + many(100, `metadata.t`, "+") + `) == "x"`,
		"split over and over": many(30, `len(split(metadata.t, "")) > 0`, "and"),
		"a set of characters": `trim(metadata.t, "` + strings.Repeat("ä", 500) + `") == "x"`,
		"a class":             `metadata.t matches "(?i)[\\pL,]{20}x"`,
	} {
		f, err := definition.CompileFilter(src)
		if err != nil {
			if !strings.Contains(err.Error(), "units for every event") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if price := f.Price(largest()); price <= definition.MaxFilterPrice {
			t.Errorf("%s: %d units, want more than %d", name, price, definition.MaxFilterPrice)
		}
		if price := f.Price(filterEvent()); price > definition.MaxFilterPrice {
			t.Errorf("%s: %d units for a small event, want it to be evaluated", name, price)
		}
	}
}

func TestFilterPatternsAreBounded(t *testing.T) {
	for _, pattern := range []string{"(.*,){999}x", "((a{10}){10}){10}", strings.Repeat("[^a]", 1000)} {
		_, err := definition.CompileFilter(`metric matches "` + pattern + `"`)
		if err == nil || !strings.Contains(err.Error(), "instructions, at most 1000 are allowed") {
			t.Errorf("%.20s: got %v, want that it compiles to too many instructions", pattern, err)
		}
	}
}

func compile(t *testing.T, src string) *definition.Filter {
	t.Helper()
	f, err := definition.CompileFilter(src)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return f
}
