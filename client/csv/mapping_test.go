package csv

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseMapping(t *testing.T) {
	got, err := ParseMapping([]string{"metric==dep=delay", "value=a=b", "id=@row", "labels.x==@row", "metadata.any thing=c", "tenant=="})
	if err != nil {
		t.Fatal(err)
	}
	want := Mapping{
		{Field: "metric", From: FromConstant, Text: "dep=delay"},
		{Field: "value", Column: "a=b"},
		{Field: "id", From: FromRow},
		{Field: "labels.x", From: FromConstant, Text: "@row"},
		{Field: "metadata.any thing", Column: "c"},
		{Field: "tenant", From: FromConstant},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestParseMappingRefuses(t *testing.T) {
	many := []string{"metric==m", "value=v"}
	for i := range 33 {
		many = append(many, fmt.Sprintf("labels.l%d==x", i))
	}
	for _, c := range []struct {
		rules []string
		want  string
	}{
		{[]string{"metric"}, `mapping "metric" has no =: FIELD=COLUMN, FIELD==CONSTANT or FIELD=@row`},
		{[]string{"metrc=a"}, `mapping "metrc=a": field "metrc" is not known: id, tenant, dashboard, metric, value, time, producer, sequence, labels.NAME, metadata.NAME`},
		{[]string{"labels.0=a"}, `mapping "labels.0=a": label name "0" is not allowed: 1-64 bytes of A-Z a-z 0-9 _ . -, beginning with a letter or _`},
		{[]string{"value="}, `mapping "value=": no column after "value="`},
		{[]string{"id=@line"}, `mapping "id=@line": "@line" is not known: @row is the only word with @`},
		{[]string{"value=a"}, `field "metric" is not mapped: dashboard (or --dashboard), metric and value are needed`},
		{[]string{"metric==m", "value=a", "value=b"}, `field "value" is mapped twice`},
		{many, `33 labels are mapped, at most 32 are allowed`},
	} {
		_, err := ParseMapping(c.rules)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q\n got %v\nwant %s", c.rules, err, c.want)
		}
	}
}

func TestReadMappings(t *testing.T) {
	got, err := ReadMappings("map.yaml", strings.NewReader(`
- {dashboard: =departures, metric: =dep_delay, value: dep_delay, id: "@row", labels: {carrier: carrier}}
- [dashboard==airports, metric==departures, value==1, labels.origin=origin]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Mapping{
		mapping(t, "dashboard==departures", "metric==dep_delay", "value=dep_delay", "id=@row", "labels.carrier=carrier"),
		mapping(t, "dashboard==airports", "metric==departures", "value==1", "labels.origin=origin"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadMappingsRefuses(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"", "map.yaml: want a list of mappings, each a list of rules (metric==dep_delay) or a map (metric: =dep_delay)"},
		{"metric: a", "map.yaml: want a list of mappings, each a list of rules (metric==dep_delay) or a map (metric: =dep_delay)"},
		{"- 5", "map.yaml:1:3: a mapping is a list of rules (metric==dep_delay) or a map (metric: =dep_delay)"},
		{"- {metric: a}\n- [metric==a, valu=b]", "map.yaml:1:3: field \"value\" is not mapped: dashboard (or --dashboard), metric and value are needed\n" +
			"map.yaml:2:15: \"valu=b\": field \"valu\" is not known: id, tenant, dashboard, metric, value, time, producer, sequence, labels.NAME, metadata.NAME"},
		{"- {metric: [a]}", `map.yaml:1:12: "metric" is COLUMN, =CONSTANT or @row`},
		{"- {labels: {a: {b: c}}}", `map.yaml:1:16: "labels.a" is COLUMN, =CONSTANT or @row`},
		{"- [metric==a, value=b]\n---\n- [metric==c, value=d]", "map.yaml: it has a second document (---); only one is allowed"},
		{"- [", "map.yaml: yaml: line 1: did not find expected node content"},
		{strings.Repeat("#", maxMapFileBytes+1), "map.yaml: more than 1048576 bytes"},
	} {
		_, err := ReadMappings("map.yaml", strings.NewReader(c.src))
		if err == nil || err.Error() != c.want {
			t.Errorf("%.60q\n got %v\nwant %s", c.src, err, c.want)
		}
	}
}
