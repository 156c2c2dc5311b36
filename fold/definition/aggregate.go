package definition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Aggregates are the words that a definition may use if Options names no others; pN stands for
// every percentile.
var Aggregates = []string{
	"count", "sum", "min", "max", "avg", "first", "last", "delta", "rate", "rate:count", "increase", "stddev", "pN",
}

// defaultAggregates are those of a panel that names none and is not latest.
var defaultAggregates = []string{"count", "sum", "avg"}

// laterAggregates are refused by name until the fold has them. Each will be a word of fold.Table
// (and of Aggregates above), with its argument after a colon.
var laterAggregates = []string{"distinct", "topk", "histogram"}

// percentilePattern is what pN stands for: 0 < N < 100 in thousandths, with exactly one spelling
// for each.
const percentilePattern = `p(0\.[0-9]{0,2}[1-9]|[1-9][0-9]?(\.[0-9]{0,2}[1-9])?)`

var percentile = regexp.MustCompile("^" + percentilePattern + "$")

func (r *reader) aggregates(at place) []string {
	items, _ := r.items(at, "aggregates", MaxAggregates)
	var words []string
	for _, item := range items {
		s, ok := r.text(item, maxText)
		switch {
		case !ok || !r.aggregate(item, s):
		case slices.Contains(words, s):
			r.problem(item.node, item.path, fmt.Sprintf("%q is given twice", shorten(s)))
		default:
			words = append(words, s)
		}
	}
	return words
}

// aggregate judges one word.
func (r *reader) aggregate(at place, word string) bool {
	if r.canonical {
		return true
	}
	allowed := r.o.Aggregates
	if len(allowed) == 0 {
		allowed = Aggregates
	}
	for _, pattern := range allowed {
		if word == pattern && pattern != "pN" || pattern == "pN" && percentile.MatchString(word) {
			return true
		}
	}
	name, _, _ := strings.Cut(word, ":")
	switch {
	case slices.Contains(laterAggregates, name):
		r.refuseLater(at, "the aggregate "+name, allowed)
	case slices.Contains(allowed, "pN") && percentileLike.MatchString(word):
		r.problem(at.node, at.path, fmt.Sprintf("%q is not a percentile: pN needs 0 < N < 100 with at most three decimals and no unnecessary zeros, such as p50 or p99.9", shorten(word)))
	default:
		r.unknown(at.node, at.path, fmt.Sprintf("unknown aggregate %q", shorten(word)), word, allowed)
	}
	return false
}

// percentileLike matches what was probably meant as a percentile.
var percentileLike = regexp.MustCompile(`^[pP]([-+0-9.eE]+|N)?$`)
