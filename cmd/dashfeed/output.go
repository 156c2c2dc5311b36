package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.yaml.in/yaml/v3"
)

// table holds rows to print as -o says: a table for people, JSON or YAML for programs.
type table struct {
	columns []string
	rows    [][]any
}

// list is a cell of several values: separated by commas for people, a list for programs.
type list []string

func (l list) String() string { return strings.Join(l, ",") }

func (t *table) add(row ...any) { t.rows = append(t.rows, row) }

// print writes the table. As JSON and YAML it is a list of objects, whose keys are the column names
// in lower case.
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

// printValue writes one value as JSON or YAML.
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

// printJSON writes a value with the keys that it has in JSON.
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
