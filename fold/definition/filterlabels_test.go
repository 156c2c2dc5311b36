package definition_test

import (
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
)

// checkFilter returns what a check says about a definition with the filter.
func checkFilter(t *testing.T, filter string) error {
	t.Helper()
	_, err := definition.Parse("d.yaml", []byte("dashboard: d\npanels:\n  - {id: a, window: latest, filter: '"+strings.ReplaceAll(filter, "'", "''")+"'}\n"),
		definition.Options{Aggregates: fold.Builtin().Names()})
	return err
}

// TestLabelsAreText: a filter that uses a label as a number or a boolean would pass no event; it is
// refused.
func TestLabelsAreText(t *testing.T) {
	for _, filter := range []string{
		"labels.n > 5", "5 < labels.n", "labels.n == 5", "labels.n != 5.5", "labels.n > -5", "labels.n == value", "labels.n < time", "labels[metric] > value",
		"labels.n in [1, 2]", "labels.n not in [value]", "labels.n + 1 > 2", "-labels.n > 2", "labels.n % 2 == 0", "round(labels.n) == 1", "max(labels.n, 5) > 3",
		"labels.n", "!labels.n", "labels.n && value > 1", "labels.n == true", "labels.n != nil && labels.n > 3", "int(labels.n) == labels.m",
		"(labels.n ?? 0) > 5", "(labels.n ?? 5) == 5", `(value > 1 ? labels.n : 0) > 5`, `(value > 1 ? 0 : labels.n) == 5`, "int(value) + (labels.n ?? 1) > 2", "(labels.n ?? labels.m ?? 0) > 1", "(labels.n ?? true)",
	} {
		err := checkFilter(t, filter)
		if err == nil || !strings.Contains(err.Error(), "a label is text: int(labels.n) > 5") || !strings.Contains(err.Error(), "d.yaml:3:") {
			t.Errorf("%s: got %v, want that a label is text, with the place", filter, err)
		}
	}
	for _, filter := range []string{
		"int(labels.n) > 5", "float(labels.n) > value", `labels.n == "5"`, `labels.n > "a"`, "labels.n == nil", `(labels.n ?? "none") == "none"`, "int(labels.n ?? \"5\") > 3", `(labels.n ?? labels.m) == "1"`, "(labels.n ?? metadata.n) == metadata.m", "(metadata.n ?? 5) > 3", "(value > 1 ? labels.n : nil) != nil",
		`labels.n in ["1", "2"]`, "labels.n in metadata.tags", "labels.n == metadata.n", `"n" in labels`, "len(labels) == 3", `labels["a.b"] == metric`, "labels.a == labels.b",
		`upper(labels.country) == "DE"`, `labels.n matches "^[0-9]+$"`, "metadata.n > 5",
	} {
		if err := checkFilter(t, filter); err != nil {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

// TestLabelsOfTheLog: a definition that is already in a log behaves as before.
func TestLabelsOfTheLog(t *testing.T) {
	d, err := definition.Parse("d.yaml", []byte("dashboard: d\npanels: [{id: a, window: latest}]\n"), definition.Options{Aggregates: fold.Builtin().Names()})
	if err != nil {
		t.Fatal(err)
	}
	d[0].Panels[0].Filter = "labels.n > 5"
	record := definition.Record{Revision: 1, Region: "local", Definition: d[0]}.Append(nil)
	if _, err := definition.ParseRecord(record); err != nil {
		t.Error(err)
	}
	if _, err := definition.CompileFilter("labels.n > 5"); err != nil {
		t.Error(err)
	}
}
