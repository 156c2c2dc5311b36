package definition

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run TestDocs -rewrite .

// TestDocs: docs/definition.md and docs/definition.schema.json match the tables. -rewrite writes
// them.
func TestDocs(t *testing.T) {
	for file, want := range map[string]string{
		"../../docs/definition.md":          reference(),
		"../../docs/definition.schema.json": string(Schema()),
	} {
		if flag.Lookup("rewrite").Value.String() == "true" {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s does not match the tables: go generate ./fold/definition", file)
		}
	}
}

// Every key has a doc, a schema and a read function, and an allowed default.
func TestTables(t *testing.T) {
	checkTable(t, dashboardKeys)
	checkTable(t, timeKeys)
	checkTable(t, dedupeKeys)
	checkTable(t, panelKeys)
	checkTable(t, windowKeys)
	checkTable(t, scopeKeys)
	for _, k := range kinds {
		if k.params[0].name != string(k.name) || k.example == "" || k.axis(Window{Kind: k.name, N: 1}).Text == "" {
			t.Errorf("%s: its first key is %s, its example %q", k.name, k.params[0].name, k.example)
		}
		for i, p := range k.params {
			if p.value == nil || i > 0 && p.missing == "" {
				t.Errorf("key %q says nothing to clients, or nothing if it is missing", p.name)
			}
		}
	}
}

func checkTable[T any](t *testing.T, keys []key[T]) {
	t.Helper()
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.name] || k.later == "" && (k.doc == "" || k.schema == nil || k.read == nil) {
			t.Errorf("key %q occurs twice or lacks doc, schema or read", k.name)
		}
		seen[k.name] = true
		if k.fallback == "" {
			continue
		}
		var r reader
		var to T
		k.read(&r, place{node: fallbackNode(k.fallback)}, &to)
		if len(r.problems) > 0 {
			t.Errorf("default %s of %s: %v", k.fallback, k.name, r.problems)
		}
	}
}

// reference returns the content of docs/definition.md.
func reference() string {
	var b strings.Builder
	b.WriteString(`# Definitions

<!-- Made by go generate ./fold/definition from its tables: change those. -->

A definition says what a dashboard shows. It is YAML or JSON; a text of at most ` + fmt.Sprint(MaxBytes>>10) + ` KiB may hold several
(` + "`---`" + ` between them). Its JSON Schema is [definition.schema.json](definition.schema.json), also at
` + "`GET /v1/schema/definition.json`" + ` and from ` + "`dashfeed definition schema`" + `.

` + "```yaml" + `
dashboard: checkout
panels:
  - id: rps
    title: Requests per country
    filter: metric == "latency" && value > 0 && labels.country != "XX"
    window: {tumbling: 10s}
    group_by: [labels.country]
    aggregates: [count, avg, p95]
` + "```" + `

Durations are Go's (` + "`250ms`, `10s`, `5m`, `24h`" + `), whole ms, at most ` + durationText(maxDuration) + `. Unknown keys are errors. All
problems of a text are reported at once, each with file, line, column and what is allowed.

`)
	table(&b, "A dashboard", dashboardKeys)
	table(&b, "time", timeKeys)
	table(&b, "dedupe", dedupeKeys)
	table(&b, "A panel", panelKeys)
	table(&b, "window", windowKeys)
	fmt.Fprintf(&b, "Exactly one of %s, %s.\n"+
		"A hopping window consists of panes; a pane is as long as the greatest common divisor of the window's length and `every`. All hopping panels of a dashboard have at most %d panes.\n"+
		"Not available yet: %s.\n\n",
		quoted(kindNames), spellings(), MaxPanes, quoted(laterNames(windowKeys)))
	fmt.Fprintf(&b, `## scope

`+"```yaml"+`
dashboard: shops
scope: {labels.shop: attributes.shop}
panels:
  - {id: sales, window: {tumbling: 1m}, group_by: [labels.shop, labels.product], aggregates: [sum]}
  - {id: everybody, window: {tumbling: 1m}, aggregates: [sum], unscoped: true}
`+"```"+`

One dashboard, many customers: the scope says whose rows are whose, by labels (at most %d) and the attributes of tokens. A token with the permission
`+"`define`"+` sees all rows. Views of a viewer's own rows are not available yet: until they are, every other token is refused at every door, as if the dashboard did not exist, and
`+"`max_values`, `quiet` and `unscoped`"+` have no effect. Without tokens every caller sees all rows.

Every panel groups by every label of the scope, otherwise its rows would mix what different viewers may see. A panel that says `+"`unscoped: true`"+` is the exception: its rows mix the
events of all values on purpose. The keys `+"`max_values`, `quiet` and `unscoped`"+` belong to dashboards with a scope only.

`, MaxScope)
	fmt.Fprintf(&b, "## aggregates\n\n%s.\n`pN` is a percentile, 0 < N < 100 with at most three decimals: `p50`, `p99.9`. At most %d, each once. Not available yet: %s.\n\n",
		quoted(Aggregates), MaxAggregates, quoted(laterAggregates))
	fmt.Fprintf(&b, `## filter

An [expr](https://expr-lang.org/docs/language-definition) expression of at most %d KiB that is true or false. It can use

- `+"`metric`, `id`"+` (text), `+"`value`"+` (number), `+"`time`"+` (ms UTC),
- `+"`labels.NAME` or `labels[\"NAME\"]`"+` (text; nil if the label is missing, which differs from the empty text),
- `+"`metadata`"+` (any JSON; nil if there is none: `+"`metadata?.unit`"+` allows for that).

Labels are text, even if they look like numbers: `+"`labels.n > 5` and `(labels.n ?? 0) > 5` are refused, `int(labels.n) > 5` and `labels.n == \"5\"`"+` compare them.
An event on which the filter fails (for example, it orders by a missing label) does not pass. Functions: %s. There are no others, no
variables, ranges or predicates, and the pattern of `+"`matches`"+` must be a literal: a filter depends on nothing but the event, and its cost is bounded.

A filter has a price for each event: roughly one unit for each byte that an instruction of a pattern examines, and one or two for
each byte of text that is compared, joined or written. The price depends only on the filter and the sizes of the fields that it reads. If an event would cost more than
%d units for one filter, or %d for all filters of the dashboard together, the filter is not evaluated: the event counts as `+"`filtered`, and in `filtered_reasons` as `cost`"+`.
Labels are too short for that; long patterns over long metadata are expensive. The pattern of `+"`matches`"+` may compile to %d instructions: `+"`(abc){99}`"+` has 300.
`, MaxFilterBytes>>10, quoted(FilterFunctions), MaxFilterPrice, MaxEventPrice, maxPattern)
	return b.String()
}

func table[T any](b *strings.Builder, title string, keys []key[T]) {
	fmt.Fprintf(b, "## %s\n\n| key | default | meaning |\n|---|---|---|\n", title)
	for _, k := range keys {
		if k.later != "" {
			continue
		}
		fallback := ""
		if k.required {
			fallback = "required"
		} else if k.fallback != "" && k.fallback != "{}" {
			fallback = "`" + k.fallback + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", k.name, fallback, k.doc)
	}
	b.WriteString("\n")
}

// spellings says which keys and words belong to which kinds.
func spellings() string {
	var list []string
	for _, k := range kinds {
		for _, p := range k.params[1:] {
			list = append(list, fmt.Sprintf("with `%s` for %s", p.name, k.name))
		}
		if k.word {
			list = append(list, fmt.Sprintf("or the word `%s`", k.name))
		}
	}
	return strings.Join(list, "; ")
}

func laterNames[T any](keys []key[T]) []string {
	var s []string
	for _, k := range keys {
		if k.later != "" {
			s = append(s, k.name)
		}
	}
	return s
}

func quoted(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
