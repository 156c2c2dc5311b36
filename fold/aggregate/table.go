// Package aggregate holds the aggregates, one per file, and the one table that everything else is
// derived from: the words that a definition may use, and how accumulators lie in memory and are
// merged, stored and read.
//
// An aggregate is a column. It is computed from bases (base.go), which accumulate the events of a
// window and group; columns share bases. All accumulators of a panel lie in one Slab, as the
// panel's Layout says.
package aggregate

import (
	"fmt"
	"slices"
	"strings"
)

// Aggregate is one kind of column.
type Aggregate struct {
	// as users write it; for a family its pattern, such as pN
	Word  string
	Parse func(word string) (number uint64, ok bool) // nil: the word is Word itself
	Bases func(o Options) []Base
	// Append appends the value to a row. It is only called if there is a sample.
	Append func(b []byte, v *Values) []byte
	Alone  bool // cannot be computed over several keys: null in the overflow row
}

// Table holds the aggregates by name.
type Table []Aggregate

// Builtin returns the aggregates that definitions may use.
func Builtin() Table {
	return Table{count, sum, minimum, maximum, avg, first, last, delta, rate, rateCount, increase, stddev, percentile}
}

// Newest returns the columns of a latest panel without aggregates.
func Newest() Table { return Table{newestValue, newestTime, newestMetadata} }

// Names returns the words as users write them, families as patterns.
func (t Table) Names() []string {
	names := make([]string, len(t))
	for i := range t {
		names[i] = t[i].Word
	}
	return names
}

// later lists the words that are planned.
var later = []string{"distinct", "topk", "histogram"}

// Layout lays out accumulators for the columns of these words.
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

// place adds the base to the layout, or finds the one with the same name.
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
