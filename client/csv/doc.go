// Package csv turns the rows of a CSV file into events by mappings. It is the pure part of
// `dashfeed publish FILE.csv`: it reads an io.Reader, and neither opens files nor sends events.
//
//	m, err := csv.ParseMapping([]string{"dashboard==departures", "metric==dep_delay", "value=dep_delay", "time=time"})
//	rows, err := csv.Open(file, []csv.Mapping{m}, csv.Options{File: "flights.csv", Null: []string{"NA", ""}})
//	for {
//		events, err := rows.Next() // io.EOF at the end; a *RowError costs its row only
//		…
//	}
//	err = rows.Again(file) // another round: times are later by whole days, ids end in #2
//
// The left side of a rule's `=` names a field of an event (id, tenant, dashboard, metric, value,
// time, producer, sequence, labels.NAME, metadata.NAME). The right side is COLUMN, =CONSTANT or
// @row, the number of the row, from 1. Each mapping makes one event of each row; if its value is
// null it makes none, and counts that.
//
// An event without an id of its own (no rule for id, a null, or id=@row) gets one that begins with
// ~: a hash of the file up to and including the row, and of the event. The same file gives the same
// ids again, also after rows were appended; another event never has the same id.
package csv
