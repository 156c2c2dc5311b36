package csv

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/messages/event"
)

// token matches an invented id, without a suffix.
var token = regexp.MustCompile(`~[A-Za-z0-9_-]{22}`)

// read reads all rows and writes each event as its JSON and each bad row as its error.
func read(t *testing.T, r *Rows) string {
	t.Helper()
	var b strings.Builder
	for {
		events, err := r.Next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return strings.TrimSuffix(b.String(), "\n")
		case errors.As(err, &bad):
			fmt.Fprintln(&b, err)
		case err != nil:
			t.Fatal(err)
		}
		for i := range events {
			b.Write(token.ReplaceAll(event.AppendJSON(nil, &events[i]), []byte("~")))
			b.WriteByte('\n')
		}
	}
}

func mapping(t *testing.T, rules ...string) Mapping {
	t.Helper()
	m, err := ParseMapping(rules)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const flights = "\ufefftime,carrier,dep_delay,\"a \"\"b\"\"\"\n1360231200000,US,-2,x\n1360232700000,UA,NA,\"y,\nz\"\n1360233000000,,1.50,\n"

func TestRows(t *testing.T) {
	delay := []string{"dashboard==departures", "metric==dep_delay", "value=dep_delay", "time=time", "id=@row", "labels.carrier=carrier"}
	for _, c := range []struct {
		name  string
		maps  [][]string
		null  []string
		want  string
		stats Stats
	}{
		{
			"the pages' example",
			[][]string{delay},
			[]string{"NA", ""},
			`{"id":"~","dashboard":"departures","metric":"dep_delay","value":-2,"time":1360231200000,"labels":{"carrier":"US"}}
{"id":"~","dashboard":"departures","metric":"dep_delay","value":1.5,"time":1360233000000}`,
			Stats{Rows: 3, Events: 2, Null: 1},
		},
		{
			"a text that is not null is an error, and an empty label is a label",
			[][]string{delay},
			nil,
			`{"id":"~","dashboard":"departures","metric":"dep_delay","value":-2,"time":1360231200000,"labels":{"carrier":"US"}}
f.csv:3: row 2, column "dep_delay": value "NA" is not a number: --null sets the texts that mean no value; the row has 2 lines
{"id":"~","dashboard":"departures","metric":"dep_delay","value":1.5,"time":1360233000000,"labels":{"carrier":""}}`,
			Stats{Rows: 3, Events: 2, Bad: 1},
		},
		{
			"several mappings, ids told apart, metadata, sorted labels",
			[][]string{
				{"dashboard==d", "metric=carrier", "value==1", "id=@row", "metadata.b=a \"b\"", "metadata.a==1", "labels.z==2", "labels.a==1"},
				{"dashboard==d", "metric==m", "value==2", "id=@row", "producer==p", "sequence=@row"},
				{"dashboard==other", "metric==m", "value=dep_delay", "id=@row", "tenant==t"},
			},
			[]string{"NA"},
			`{"id":"~","dashboard":"d","metric":"US","value":1,"labels":{"a":"1","z":"2"},"metadata":{"a":"1","b":"x"}}
{"id":"~","dashboard":"d","metric":"m","value":2,"producer":"p","sequence":1}
{"id":"~","tenant":"t","dashboard":"other","metric":"m","value":-2}
{"id":"~","dashboard":"d","metric":"UA","value":1,"labels":{"a":"1","z":"2"},"metadata":{"a":"1","b":"y,\u000az"}}
{"id":"~","dashboard":"d","metric":"m","value":2,"producer":"p","sequence":2}
f.csv:5: row 3, column "carrier": metric "" is not allowed: 1-256 bytes without control characters`,
			Stats{Rows: 3, Events: 5, Null: 1, Bad: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var maps []Mapping
			for _, m := range c.maps {
				maps = append(maps, mapping(t, m...))
			}
			rows, err := Open(strings.NewReader(flights), maps, Options{File: "f.csv", Null: c.null})
			if err != nil {
				t.Fatal(err)
			}
			if got := read(t, rows); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if rows.Stats() != c.stats {
				t.Errorf("got %+v, want %+v", rows.Stats(), c.stats)
			}
		})
	}
}

func TestRowsNotCSV(t *testing.T) {
	rows, err := Open(strings.NewReader("a,b\n1\n2,3\n4,5,6\n7,\"8\"9\n10,11\n"), []Mapping{mapping(t, "dashboard==d", "metric==m", "value=a")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `input:2: row 1: 1 columns, the header has 2
{"id":"~","dashboard":"d","metric":"m","value":2}
input:4: row 3: 3 columns, the header has 2
input:5: row 4, column "b": extraneous or missing " in quoted-field
{"id":"~","dashboard":"d","metric":"m","value":10}`
	if got := read(t, rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRoundsMoveByWholeDays(t *testing.T) {
	const day = 24 * 60 * 60 * 1000
	for _, c := range []struct{ length, period int64 }{{0, day}, {1, day}, {day - 1, day}, {day, day}, {day + 1, 2 * day}, {10*day + 5, 11 * day}} {
		src := fmt.Sprintf("t,id,v\n%d,x,1\n1000,y,NA\n0,y,2\n", c.length)
		rows, err := Open(strings.NewReader(src), []Mapping{mapping(t, "dashboard==d", "metric==m", "value=v", "time=t", "id=id")}, Options{Null: []string{"NA"}})
		if err != nil {
			t.Fatal(err)
		}
		for round := int64(1); round <= 3; round++ {
			suffix := ""
			if round > 1 {
				suffix = fmt.Sprintf("#%d", round)
			}
			want := fmt.Sprintf(`{"id":"x%s","dashboard":"d","metric":"m","value":1,"time":%d}
{"id":"y%s","dashboard":"d","metric":"m","value":2,"time":%d}`, suffix, c.length+(round-1)*c.period, suffix, (round-1)*c.period)
			if got := read(t, rows); got != want {
				t.Errorf("length %d, round %d: got\n%s\nwant\n%s", c.length, round, got, want)
			}
			if err := rows.Again(strings.NewReader(src)); err != nil {
				t.Fatal(err)
			}
		}
		if least, most, ok := rows.Span(); least != 0 || most != c.length || !ok {
			t.Errorf("span %d to %d, want 0 to %d", least, most, c.length)
		}
	}
}

func TestAgainRefusesAnotherFile(t *testing.T) {
	rows, err := Open(strings.NewReader("a,b\n"), []Mapping{mapping(t, "metric==m", "value=a")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Again(strings.NewReader("a,c\n")); err == nil || !strings.Contains(err.Error(), "round 2 has other columns") {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		src  string
		maps []Mapping
		want string
	}{
		{"", []Mapping{mapping(t, "metric==m", "value=a")}, "f.csv: empty: the first line names the columns"},
		{"a,b\n", nil, "f.csv: no mapping: at least metric and value"},
		{"a,b\n", []Mapping{mapping(t, "metric=x", "value=y")}, "f.csv:1: metric=x: there is no column \"x\": a, b\nf.csv:1: value=y: there is no column \"y\": a, b"},
		{"a,b,a\n", []Mapping{mapping(t, "metric=b", "value=a")}, "f.csv:1: value=a: two columns are called \"a\": a, b, a"},
		{" a,b,\n", []Mapping{mapping(t, "metric=b", "value=a")}, "f.csv:1: value=a: there is no column \"a\": \" a\", b, \"\""},
		{"a,\"b\n", []Mapping{mapping(t, "metric==m", "value=a")}, "f.csv:1: header: the quote that opens here does not end before the file does"},
	} {
		_, err := Open(strings.NewReader(c.src), c.maps, Options{File: "f.csv"})
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format string
		zone   *time.Location
		text   string
		want   int64
		err    string
	}{
		{"", nil, "1360231200000", 1360231200000, ""},
		{"", nil, "2013-02-07T10:00:00Z", 1360231200000, ""},
		{"", nil, "2013-02-07 10:00:00", 0, `time "2013-02-07 10:00:00" names no zone: --time-zone sets one`},
		{"", nil, "2013-02-07T10:00:00.25", 0, `time "2013-02-07T10:00:00.25" names no zone: --time-zone sets one`},
		{"", nil, "7.2.2013", 0, `time "7.2.2013" is not ms since 1970 or RFC 3339: --time-format sets another format`},
		{"", berlin, "2013-02-07T11:00:00.25", 1360231200250, ""},
		{"rfc3339", berlin, "2013-02-07 11:00:00", 1360231200000, ""},
		{"rfc3339", berlin, "2013-02-07T10:00:00Z", 1360231200000, ""},
		{"ms", nil, "5.5", 0, `time "5.5" is not a whole number of ms since 1970`},
		{"ms", nil, "9000000000000000", 0, `time "9000000000000000" is out of range: at most 8640000000000000 ms from 1970`},
		{"s", nil, "1360231200", 1360231200000, ""},
		{"s", nil, "1.001", 1001, ""},
		{"s", nil, "-0.5", -500, ""},
		{"s", nil, "1e300", 0, `time "1e300" is out of range: at most 8640000000000000 ms from 1970`},
		{"s", nil, "NaN", 0, `time "NaN" is not a number of seconds since 1970`},
		{"rfc3339", nil, "2013-02-07T11:00:00+01:00", 1360231200000, ""},
		{"rfc3339", nil, "5", 0, `time "5" is not RFC 3339, such as 2026-11-23T18:00:00Z: --time-format sets another format`},
		{"2006-01-02 15:04", nil, "2013-02-07 10:00", 1360231200000, ""},
		{"2006-01-02 15:04", berlin, "2013-02-07 11:00", 1360231200000, ""},
		{"2006-01-02 15:04 -0700", berlin, "2013-02-07 10:00 +0000", 1360231200000, ""},
		{"2006-01-02 15:04", berlin, "7.2.2013", 0, `time "7.2.2013" is not of the layout "2006-01-02 15:04"`},
	} {
		got, err := Options{TimeFormat: c.format, Zone: c.zone}.ParseTime(c.text)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != c.want || text != c.err {
			t.Errorf("%s as %q: got %d, %q; want %d, %q", c.text, c.format, got, text, c.want, c.err)
		}
	}
}
