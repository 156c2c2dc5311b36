package definition

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

//go:generate go test -run TestDocs -rewrite .

// TestDocs: docs/definition.md and docs/definition.schema.json say what the tables say. -rewrite
// writes them.
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
			t.Errorf("%s is not what the tables say: go generate ./fold/definition", file)
		}
	}
}

// Every key has what its readers need, and a default that is allowed.
func TestTables(t *testing.T) {
	checkTable(t, dashboardKeys)
	checkTable(t, timeKeys)
	checkTable(t, dedupeKeys)
	checkTable(t, panelKeys)
	checkTable(t, windowKeys)
}

func checkTable[T any](t *testing.T, keys []key[T]) {
	t.Helper()
	seen := map[string]bool{}
	for _, k := range keys {
		if seen[k.name] || k.later == "" && (k.doc == "" || k.schema == nil || k.read == nil) {
			t.Errorf("key %q is there twice or lacks doc, schema or read", k.name)
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

// reference is docs/definition.md.
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

Durations are Go's (` + "`250ms`, `10s`, `5m`, `24h`" + `), whole ms, at most ` + durationText(maxDuration) + `. Unknown keys are errors. All that is
wrong in a text is told at once, each with file, line, column and what is allowed.

`)
	table(&b, "A dashboard", dashboardKeys)
	table(&b, "time", timeKeys)
	table(&b, "dedupe", dedupeKeys)
	table(&b, "A panel", panelKeys)
	table(&b, "window", windowKeys)
	fmt.Fprintf(&b, "Exactly one of %s, with `every` for hopping; or the word `latest`.\n"+
		"A hopping window is put together of panes, as long as its length and `every` have in common: all hopping panels of a dashboard have at most %d.\n"+
		"Not available yet: %s.\n\n",
		quoted(windowKinds), MaxPanes, quoted(laterNames(windowKeys)))
	fmt.Fprintf(&b, "## aggregates\n\n%s.\n`pN` is a percentile, 0 < N < 100 with at most three decimals: `p50`, `p99.9`. At most %d, none twice. Not available yet: %s.\n\n",
		quoted(Aggregates), MaxAggregates, quoted(laterAggregates))
	fmt.Fprintf(&b, `## filter

An [expr](https://expr-lang.org/docs/language-definition) expression of at most %d KiB that gives true or false, over

- `+"`metric`, `id`"+` (text), `+"`value`"+` (number), `+"`time`"+` (ms UTC),
- `+"`labels.NAME` or `labels[\"NAME\"]`"+` (text; nil where the label is missing, which differs from the empty text),
- `+"`metadata`"+` (any JSON, nil where there is none; `+"`metadata?.unit`"+` goes on where there is none).

Labels are text, also where they look like numbers: `+"`labels.n > 5` and `(labels.n ?? 0) > 5` are refused, `int(labels.n) > 5` and `labels.n == \"5\"`"+` compare them.
An event on which it fails (it compares a missing label by size) does not pass. Functions: %s. There are no others, no
variables, ranges or predicates, and the pattern of `+"`matches`"+` must be written out: a filter depends on nothing but the event, and its cost is bounded.

A filter has a price for each event: roughly a unit for each byte that an instruction of a pattern looks at, and one or two for
each byte of text that is compared, joined or written. It follows from the filter and the sizes of the fields that it reads. An event that is dearer than
%d units for one filter, or %d for all filters of the dashboard together, is not tried: it is `+"`filtered`, and counted in `filtered_reasons` as `cost`"+`.
Labels are too short for that; what costs is a long pattern over long metadata. The pattern of `+"`matches`"+` may compile to %d instructions: `+"`(abc){99}`"+` has 300.
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
