// Package aggregate holds the aggregates, one a file, and the one table that everything else is
// derived from: the words a definition may use, how accumulators lie in memory, are merged, stored
// and read.
//
// An aggregate is a column. It is read from bases (base.go), which are what the events of a window
// and group are folded into; columns share bases. All accumulators of a panel lie end to end in a
// Slab as the panel's Layout says.
package aggregate

import (
	"fmt"
	"slices"
	"strings"
)

// Aggregate is one kind of column.
type Aggregate struct {
	// as users write it; of a family the pattern, such as pN
	Word  string
	Parse func(word string) (number uint64, ok bool) // nil: the word is Word
	Bases func(o Options) []Base
	// Append appends the value to a row. It is not called where there is no sample.
	Append func(b []byte, v *Values) []byte
	Alone  bool // can't tell one key from many: null in the overflow row
}

// Table is the aggregates by name.
type Table []Aggregate

// Builtin is the table of what definitions may ask for.
func Builtin() Table {
	return Table{count, sum, minimum, maximum, avg, first, last, delta, rate, rateCount, increase, stddev, percentile}
}

// Newest is the table of the columns that a latest panel without aggregates has.
func Newest() Table { return Table{newestValue, newestTime, newestMetadata} }

// Names are the words as users write them, families as patterns.
func (t Table) Names() []string {
	names := make([]string, len(t))
	for i := range t {
		names[i] = t[i].Word
	}
	return names
}

// later are the words that a definition will be able to use.
var later = []string{"distinct", "topk", "histogram"}

// Layout lays accumulators out for the columns of these words.
func (t Table) Layout(words []string, o Options) (*Layout, error) {
	l := &Layout{words: 1, seconds: o.Seconds, lazy: true}
	for _, word := range words {
		a, number, ok := t.find(word)
		if !ok {
			if kind, _, _ := strings.Cut(word, ":"); slices.Contains(later, kind) {
				return nil, fmt.Errorf("aggregate %q is not available yet", word)
			}
			return nil, fmt.Errorf("aggregate %q is unknown; allowed: %s", word, strings.Join(t.Names(), ", "))
		}
		c := column{Aggregate: a, number: number}
		if a.Bases != nil {
			for _, b := range a.Bases(o) {
				c.bases = append(c.bases, l.place(b))
			}
		}
		l.columns = append(l.columns, c)
	}
	return l, nil
}

func (t Table) find(word string) (a Aggregate, number uint64, ok bool) {
	for _, a := range t {
		if a.Parse == nil && a.Word == word {
			return a, 0, true
		}
		if a.Parse != nil {
			if number, ok := a.Parse(word); ok {
				return a, number, true
			}
		}
	}
	return Aggregate{}, 0, false
}

// place gives the base its place, or that of the one of its name.
func (l *Layout) place(b Base) int {
	if i := slices.IndexFunc(l.bases, func(p placed) bool { return p.Name == b.Name }); i >= 0 {
		return i
	}
	l.bases = append(l.bases, placed{Base: b, word: l.words, object: l.objects})
	l.words += b.Words
	if b.Object != nil {
		l.objects++
		l.lazy = l.lazy && b.Object.Optional
	}
	return len(l.bases) - 1
}
