package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in the text of a definition.
type Problem struct {
	File    string   `json:"file,omitempty"`
	Line    int      `json:"line"`   // from 1
	Column  int      `json:"column"` // from 1
	Path    string   `json:"path"`   // panels[0].window.tumbling; "" means the whole document
	Message string   `json:"message"`
	Allowed []string `json:"allowed,omitempty"`
	Nearest string   `json:"nearest,omitempty"` // the allowed name that was probably meant
}

// Error returns file:line:col: path: message; did you mean "…"? allowed: …
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
	}
	fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	switch allowed := strings.Join(p.Allowed, ", "); {
	case p.Nearest != "":
		fmt.Fprintf(&b, "; did you mean %q? allowed: %s", p.Nearest, allowed)
	case allowed != "":
		b.WriteString("; allowed: " + allowed)
	}
	return b.String()
}

// MaxProblems is how many problems are reported at once.
const MaxProblems = 100

// Problems is everything that is wrong in a text, ordered by place.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

func sortProblems(ps Problems) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// nearest returns the allowed name that s was probably meant to be: at most a third of its letters,
// or one, differ. It returns "" if no name is that close.
func nearest(s string, allowed []string) string {
	const longest = 64 // a longer word is not a typing mistake, and the cost grows with the square
	if len(s) > longest {
		return ""
	}
	best, at := "", max(1, len(s)/3)+1
	for _, a := range allowed {
		if d := distance(s, a); d < at {
			best, at = a, d
		}
	}
	return best
}

// distance counts the letters to insert, delete, change or swap with their neighbour to turn a into
// b.
func distance(a, b string) int {
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			next[j] = min(last[j]+1, next[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
