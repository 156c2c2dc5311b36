package definition_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/fold/definition"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(definition.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("definition.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("definition.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, src string) error {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(src), &v); err != nil {
		t.Fatalf("%v\n%s", err, src)
	}
	return s.Validate(v)
}

// The schema and the parser agree in everything that a schema can express.
func TestSchemaAgrees(t *testing.T) {
	s := schema(t)
	panel := func(keys string) string { return "dashboard: d\npanels: [{id: a, " + keys + "}]" }
	for _, c := range []struct {
		ok  bool
		src string
	}{
		{true, checkout},
		{true, panel("window: latest")},
		{true, panel("window: {latest: true}")},
		{true, panel("window: {tumbling: 1m30s}")},
		{true, panel("window: {tumbling: 1.5s}")},
		{true, panel("window: {tumbling: +10s}")},
		{true, panel("window: {hopping: 1m, every: 10s}")},
		{true, panel("window: {session: 30s}")},
		{true, panel("window: {count: 100}, rate: count, aggregates: [rate, p99.9, p0.5]")},
		{true, panel("window: latest, keep: 60.0")},
		{true, panel("window: latest, aggregates: []")},
		{true, panel("window: latest, group_by: [metric, labels.a.b-c_d]")},
		{true, "dashboard: d\ntie: id\nreset: true\ntime: {idle: none, bound: 0}\ndedupe: {by: producer}\npanels: [{id: a, window: latest}]"},
		{true, "dashboard: d\nscope: {labels.a: attributes.b}\nmax_values: 5\nquiet: true\npanels: [{id: a, window: latest, group_by: [labels.a]}, {id: b, window: latest, unscoped: true}]"},
		{false, "dashboard: d\nscope: {}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nscope: {a: attributes.b}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nscope: {labels.a: b}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nscope: {labels.a: attributes.a, labels.b: attributes.b, labels.c: attributes.c, labels.d: attributes.d, labels.e: attributes.e}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nmax_values: 5\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nquiet: true\npanels: [{id: a, window: latest}]"},
		{false, "{}"},
		{false, "[]"},
		{false, "dashboard: d"},
		{false, "panels: [{id: a, window: latest}]"},
		{false, "dashboard: d\npanels: []"},
		{false, "dashboard: d\npanels: {}"},
		{false, "dashboard: 12\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: a b\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntitel: x\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntenant: null\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntie: time\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\nreset: 1\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntime: 2s\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntime: {bound: 2}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntime: {bound: none}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ntime: {bound: -2s}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\ndedupe: {by: name}\npanels: [{id: a, window: latest}]"},
		{false, "dashboard: d\npanels: [{window: latest}]"},
		{false, panel("keep: 60")},
		{false, panel("window: last")},
		{false, panel("window: {}")},
		{false, panel("window: {latest: false}")},
		{false, panel("window: {tumbling: 10}")},
		{false, panel("window: {tumbling: 10 s}")},
		{false, panel("window: {tumbling: 10s, count: 5}")},
		{false, panel("window: {tumbling: 10s, every: 5s}")},
		{false, panel("window: {hopping: 10s}")},
		{false, panel("window: {every: 10s}")},
		{false, panel("window: {sliding: 60s}")},
		{false, panel("window: {calendar: day}")},
		{false, panel("window: {count: 0}")},
		{false, panel("window: {count: 1000001}")},
		{false, panel("window: latest, keep: 0")},
		{false, panel("window: latest, keep: 1.5")},
		{false, panel("window: latest, keep: 10001")},
		{false, panel("window: latest, max_groups: 100001")},
		{false, panel("window: latest, group_by: metric")},
		{false, panel("window: latest, group_by: [metric, metric]")},
		{false, panel("window: latest, group_by: [country]")},
		{false, panel("window: latest, group_by: ['labels.*']")},
		{false, panel("window: latest, aggregates: [mean]")},
		{false, panel("window: latest, aggregates: [pN]")},
		{false, panel("window: latest, aggregates: [p100]")},
		{false, panel("window: latest, aggregates: [p050]")},
		{false, panel("window: latest, aggregates: [sum, sum]")},
		{false, panel("window: latest, aggregates: ['distinct:labels.user']")},
		{false, panel("window: latest, fill: zero")},
		{false, panel("window: latest, rate: max")},
		{false, panel("window: latest, filter: 1")},
	} {
		_, parsed := definition.Parse("", []byte(c.src), definition.Options{})
		validated := validate(t, s, c.src)
		if (parsed == nil) != c.ok || (validated == nil) != c.ok {
			t.Errorf("want ok %v of\n%s\nparser: %v\nschema: %v", c.ok, c.src, parsed, validated)
		}
	}
}

// What Parse accepts and writes, examples included, is valid.
func TestSchemaOfDefinitions(t *testing.T) {
	s := schema(t)
	d := definition.Default("acme")
	d.Dashboard = "d"
	for _, text := range [][]byte{d.Canonical(), d.YAML()} {
		if err := validate(t, s, string(text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	files, err := filepath.Glob("../../examples/*/definitions/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no example found: %v", err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		defs, err := definition.Parse(file, src, definition.Options{})
		if err != nil {
			t.Error(err)
		}
		for _, d := range defs {
			roundTrip(t, d)
			if err := validate(t, s, string(d.YAML())); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}
