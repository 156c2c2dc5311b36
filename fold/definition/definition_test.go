package definition_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/fold/definition"
)

// checkout is the example of docs/PROTOCOL.md without planned features.
const checkout = `
dashboard: checkout
tenant: acme
time: {bound: 2s, idle: 10s, max_future: 60s, lateness: 30s}
dedupe: {by: id, horizon: 10m}
panels:
  - id: rps
    title: Requests per country
    filter: metric == "latency" && value > 0 && labels.country != "XX"
    window: {tumbling: 10s}
    keep: 60
    group_by: [labels.country]
    aggregates: [count, sum, avg, p95]
    fill: none
    max_groups: 1000
`

func parse(t *testing.T, src string) *definition.Definition {
	t.Helper()
	defs, err := definition.Parse("test.yaml", []byte(src), definition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(defs) != 1 {
		t.Fatalf("%d definitions, want 1", len(defs))
	}
	return defs[0]
}

func TestParseExample(t *testing.T) {
	got := parse(t, checkout)
	want := &definition.Definition{
		Tenant: "acme", Dashboard: "checkout",
		Time:   definition.Time{Bound: 2 * time.Second, Idle: 10 * time.Second, MaxFuture: time.Minute, Lateness: 30 * time.Second},
		Dedupe: definition.Dedupe{By: definition.ByID, Horizon: 10 * time.Minute},
		Tie:    definition.TieOrder,
		Panels: []definition.Panel{{
			ID: "rps", Title: "Requests per country", Filter: `metric == "latency" && value > 0 && labels.country != "XX"`,
			Window: definition.Window{Kind: definition.Tumbling, Size: 10 * time.Second}, Keep: 60,
			GroupBy: []string{"labels.country"}, Aggregates: []string{"count", "sum", "avg", "p95"}, MaxGroups: 1000,
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// roundTrip checks that both written forms of d are read back as d.
func roundTrip(t *testing.T, d *definition.Definition) {
	t.Helper()
	back, err := definition.ParseCanonical(d.Canonical())
	if err != nil {
		t.Fatalf("canonical form is not read back: %v\n%s", err, d.Canonical())
	}
	if !reflect.DeepEqual(back, d) || back.Hash() != d.Hash() {
		t.Errorf("the canonical form came back changed\n%s\n%s", d.Canonical(), back.Canonical())
	}
	var o definition.Options
	if d.Dashboard == "" {
		o.Key.Tenant = d.Tenant
	}
	for _, text := range [][]byte{d.YAML(), d.Canonical()} {
		defs, err := definition.Parse("", text, o)
		if err != nil {
			t.Fatalf("is not read back: %v\n%s", err, text)
		}
		if len(defs) != 1 || !reflect.DeepEqual(defs[0], d) {
			t.Errorf("came back changed\n%s\n%s", text, defs[0].YAML())
		}
	}
}

func TestRoundTrip(t *testing.T) {
	roundTrip(t, parse(t, checkout))
	roundTrip(t, definition.Default("acme"))
	const hash = "38508f716e0fbadd" // changing the canonical form changes every hash in every log
	if got := definition.Default("default").Hash(); got != hash {
		t.Errorf("the default's hash is %s, was %s:\n%s", got, hash, definition.Default("default").Canonical())
	}
}

func TestRecord(t *testing.T) {
	for _, r := range []definition.Record{
		{Revision: 3, Region: "local", Source: `a "b".yaml`, Definition: definition.Default("acme")},
		{Revision: 1<<64 - 1, Region: "eu"},
	} {
		back, err := definition.ParseRecord(r.Append(nil))
		if err != nil {
			t.Fatalf("%s: %v", r.Append(nil), err)
		}
		if !reflect.DeepEqual(back, r) {
			t.Errorf("got %+v, want %+v", back, r)
		}
	}
	for _, bad := range []string{``, `{}`, `[]`, `{"revision":1,"definition":{}}`, `{"revision":-1,"definition":null}`, `{"revision":1,"definition":null}x`} {
		if r, err := definition.ParseRecord([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v, want an error", bad, r)
		}
	}
}
