package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

// table is rows that a command prints as -o says: a table for people, json or yaml for programs.
type table struct {
	columns []string
	rows    [][]any
}

// list is a cell of several values: with commas between for people, a list for programs.
type list []string

func (l list) String() string { return strings.Join(l, ",") }

func (t *table) add(row ...any) { t.rows = append(t.rows, row) }

// print writes the table; as json and yaml it is a list of objects, whose keys are the columns in
// lower case.
func (t *table) print(w io.Writer, format string) error {
	if format != "table" {
		return printValue(w, format, t.objects())
	}
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(t.columns, "\t"))
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i] = visible(fmt.Sprint(v))
		}
		fmt.Fprintln(tw, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return tw.Flush()
}

func (t *table) objects() []map[string]any {
	objects := make([]map[string]any, len(t.rows))
	for i, row := range t.rows {
		objects[i] = map[string]any{}
		for j, v := range row {
			objects[i][strings.ToLower(t.columns[j])] = v
		}
	}
	return objects
}

// printValue writes one value as json or yaml.
func printValue(w io.Writer, format string, v any) error {
	if format == "yaml" {
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		defer e.Close()
		return e.Encode(v)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSON writes a value under the keys that it has in JSON.
func printJSON(w io.Writer, format string, v any) error {
	if format == "json" {
		return printValue(w, format, v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	keyed, err := parseYAML(b) // JSON is YAML: the same keys in both
	if err != nil {
		return err
	}
	return printValue(w, format, keyed)
}
