package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/client/csv"
	"github.com/dashfeed/dashfeed/examples/flights"
)

// token matches the random part of an invented id.
var token = regexp.MustCompile(`~[A-Za-z0-9_-]{22}`)

// all reads rounds of an input as lines.
func all(t *testing.T, in *input, rounds int) []string {
	t.Helper()
	var lines []string
	for {
		events, err := in.next()
		var bad *badInput
		switch {
		case errors.As(err, &bad):
			lines = append(lines, "bad")
		case errors.Is(err, io.EOF):
			if rounds--; rounds == 0 {
				return lines
			}
			if err := in.again(); err != nil {
				t.Fatal(err)
			}
		case err != nil:
			t.Fatal(err)
		}
		for _, e := range events {
			lines = append(lines, string(e.payload))
		}
	}
}

func TestNDJSONLoops(t *testing.T) {
	path := write(t, "events.ndjson", `{"id":"a","dashboard":"d","metric":"m","value":1,"time":1000}`+"\n\n"+`{"metric":"m", "value":2,"time":90000000}`+"\nnot json\n")
	in, err := (&publishCommand{File: path, Loop: true, Dashboard: "d"}).open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got := token.ReplaceAllString(strings.Join(all(t, in, 2), "\n"), "~")
	// The second round is two days later: the length of the file, rounded up to whole days.
	want := `{"id":"a","dashboard":"d","metric":"m","value":1,"time":1000}
{"metric":"m", "value":2,"time":90000000,"id":"~"}
bad
{"id":"a#2","dashboard":"d","metric":"m","value":1,"time":172801000}
{"id":"~#2","metric":"m","value":2,"time":262800000}
bad`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if least, most, ok, err := in.span(); least != 1000 || most != 90000000 || !ok || err != nil {
		t.Errorf("span %d to %d, %v, %v", least, most, ok, err)
	}
}

func TestCSVGzipped(t *testing.T) {
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	io.WriteString(w, "t,v\n1000,1\n2000,NA\n3000,x\n4000,2\n")
	w.Close()
	path := filepath.Join(t.TempDir(), "events.csv.gz")
	if err := os.WriteFile(path, zipped.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &publishCommand{File: path, TimeZone: "UTC", Null: "NA,", Map: []string{"metric==m", "value=v", "time=t", "id=@row", "dashboard==d"}}
	in, err := c.open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	got := token.ReplaceAllString(strings.Join(all(t, in, 1), "\n"), "~")
	want := `{"id":"~","dashboard":"d","metric":"m","value":1,"time":1000}
bad
{"id":"~","dashboard":"d","metric":"m","value":2,"time":4000}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if s := in.stats(); s.bad != 1 || s.null != 1 {
		t.Errorf("%+v", s)
	}
}

func TestStdinDoesNotLoop(t *testing.T) {
	if _, err := (&publishCommand{File: "-", Loop: true}).open(strings.NewReader("")); err == nil || !strings.Contains(err.Error(), "--loop") {
		t.Errorf("got %v", err)
	}
}

// TestFlights: the demo's data is as README and the definitions describe it.
func TestFlights(t *testing.T) {
	mappings, err := csv.ReadMappings("map.yaml", bytes.NewReader(flights.Map))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.Open(bytes.NewReader(flights.CSV), mappings, csv.Options{Null: []string{""}})
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	last := int64(0)
	for {
		events, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			count[e.Dashboard+" "+e.Metric]++
			if e.Time < last {
				t.Fatalf("row of %d comes after %d: the cut is sorted by time", e.Time, last)
			}
			last = e.Time
		}
	}
	if s := rows.Stats(); s.Rows < 20_000 || s.Bad != 0 {
		t.Errorf("%+v: want at least 20,000 rows and none bad", s)
	}
	left, cancelled := count["departures dep_delay"], count["day cancelled"]
	if left+cancelled != rows.Stats().Rows || count["airports dep_delay"] != left || count["day dep_delay"] != left || cancelled < 1000 {
		t.Errorf("events %v of %d rows", count, rows.Stats().Rows)
	}
	sources, err := demoSources()
	if err != nil || len(sources) != len(flights.Dashboards) {
		t.Fatalf("%d definitions, %v", len(sources), err)
	}
	for _, s := range sources {
		if !s.Definition.Reset {
			t.Errorf("%s does not begin a fresh history", s.File)
		}
		if w := longerThanHorizon(s.Definition); w != nil {
			t.Errorf("%v", w)
		}
	}
}
