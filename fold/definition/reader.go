package definition

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// reader reads one text and collects what is wrong in it. It follows only the tables of keys, so an
// alias that multiplies or contains itself costs nothing.
type reader struct {
	file      string
	o         Options
	canonical bool // the text comes from the log: aggregate words and filters are not checked
	problems  Problems
}

// place is a value with the path that leads to it.
type place struct {
	node *yaml.Node
	path string
}

func (p place) key(name string) place {
	if p.path == "" {
		return place{path: name}
	}
	return place{path: p.path + "." + name}
}

func (p place) item(i int) place {
	return place{p.node.Content[i], p.path + "[" + strconv.Itoa(i) + "]"}
}

func (r *reader) problem(n *yaml.Node, path, message string, allowed ...string) {
	r.add(Problem{Line: n.Line, Column: n.Column, Path: path, Message: message, Allowed: allowed})
}

func (r *reader) add(p Problem) {
	if len(r.problems) == MaxProblems {
		return
	}
	p.File, p.Line, p.Column = r.file, max(1, p.Line), max(1, p.Column)
	r.problems = append(r.problems, p)
}

// unknown refuses a word that is not among the allowed ones.
func (r *reader) unknown(n *yaml.Node, path, message, word string, allowed []string) {
	r.add(Problem{Line: n.Line, Column: n.Column, Path: path, Message: message, Allowed: allowed, Nearest: nearest(word, allowed)})
}

// refuseLater refuses, by name, what a later version will have.
func (r *reader) refuseLater(at place, what string, allowed []string) {
	be := "is"
	if strings.HasSuffix(what, "s") {
		be = "are"
	}
	r.problem(at.node, at.path, what+" "+be+" not available yet", allowed...)
}

func (r *reader) sorted() Problems {
	sortProblems(r.problems)
	return r.problems
}

// resolve follows an alias to its target.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// pairs returns the values of a mapping by their keys; nil if the value is not a mapping. Unknown
// and repeated keys are problems; meant holds the keys that the unknown ones were probably meant to
// be.
func (r *reader) pairs(at place, known func(string) bool, allowed []string) (given map[string]place, meant map[string]bool) {
	n := resolve(at.node)
	if n.Kind != yaml.MappingNode {
		r.problem(at.node, at.path, "want a mapping of keys, got "+describe(n), allowed...)
		return nil, nil
	}
	given, meant = map[string]place{}, map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := resolve(n.Content[i])
		if k.Kind != yaml.ScalarNode {
			r.problem(n.Content[i], at.path, "a key must be a name, not "+describe(k), allowed...)
			continue
		}
		value := at.key(shorten(k.Value))
		value.node = n.Content[i+1]
		if !known(k.Value) {
			r.unknown(n.Content[i], value.path, "unknown key", k.Value, allowed)
			meant[nearest(k.Value, allowed)] = true
			continue
		}
		if _, twice := given[k.Value]; twice {
			r.problem(n.Content[i], value.path, "given twice")
			continue
		}
		given[k.Value] = value
	}
	return given, meant
}

// items returns the values of a list with at most that many.
func (r *reader) items(at place, what string, most int) ([]place, bool) {
	n := resolve(at.node)
	if n.Kind != yaml.SequenceNode {
		r.problem(at.node, at.path, "want a list of "+what+", got "+describe(n))
		return nil, false
	}
	if len(n.Content) > most {
		r.problem(at.node, at.path, fmt.Sprintf("%d %s, at most %d are allowed", len(n.Content), what, most))
	}
	list := place{n, at.path}
	var places []place
	for i := range min(most, len(n.Content)) {
		places = append(places, list.item(i))
	}
	return places, true
}

// text reads a string without control characters and with at most that many characters.
func (r *reader) text(at place, most int) (string, bool) {
	n := resolve(at.node)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		hint := ""
		if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
			hint = "; put it in quotes"
		}
		r.problem(at.node, at.path, "want text, got "+describe(n)+hint)
		return "", false
	}
	if utf8.RuneCountInString(n.Value) > most {
		r.problem(at.node, at.path, fmt.Sprintf("%d characters, at most %d are allowed", utf8.RuneCountInString(n.Value), most))
		return "", false
	}
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }
	if strings.ContainsFunc(n.Value, control) || !utf8.ValidString(n.Value) {
		r.problem(at.node, at.path, "control characters are not allowed")
		return "", false
	}
	return n.Value, true
}

// word reads one of the allowed words; it refuses those of a later version by name.
func (r *reader) word(at place, allowed []string, later ...string) (string, bool) {
	s, ok := r.text(at, maxText)
	if !ok {
		return "", false
	}
	for _, a := range allowed {
		if s == a {
			return s, true
		}
	}
	for _, l := range later {
		if s == l {
			r.refuseLater(at, strconv.Quote(s), allowed)
			return "", false
		}
	}
	r.unknown(at.node, at.path, fmt.Sprintf("%q is not allowed", shorten(s)), s, allowed)
	return "", false
}

func (r *reader) whole(at place, least, most int) (int, bool) {
	n := resolve(at.node)
	var v float64 // JSON Schema accepts 60.0 as an integer
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float" || n.Decode(&v) != nil || v != float64(int(v)) {
		r.problem(at.node, at.path, fmt.Sprintf("want a whole number from %d to %d, got %s", least, most, describe(n)))
		return 0, false
	}
	if v < float64(least) || v > float64(most) {
		r.problem(at.node, at.path, fmt.Sprintf("%s is not from %d to %d", shorten(n.Value), least, most))
		return 0, false
	}
	return int(v), true
}

func (r *reader) truth(at place) (v, ok bool) {
	n := resolve(at.node)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || n.Decode(&v) != nil {
		r.problem(at.node, at.path, "want true or false, got "+describe(n))
		return false, false
	}
	return v, true
}

// maxDuration keeps sums of a time and several durations far from the limits of int64.
const maxDuration = 10 * 365 * 24 * time.Hour

// duration reads a whole number of ms, at least the given one.
func (r *reader) duration(at place, least time.Duration) (time.Duration, bool) {
	const hint = "want a duration such as 250ms, 10s, 5m or 24h"
	n := resolve(at.node)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" && n.Value != "0" {
		message := hint + ", got " + describe(n)
		if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!float") {
			message += " without a unit"
		}
		r.problem(at.node, at.path, message)
		return 0, false
	}
	d, err := time.ParseDuration(n.Value)
	switch {
	case err != nil:
		r.problem(at.node, at.path, fmt.Sprintf("%s, got %q", hint, shorten(n.Value)))
	case d%time.Millisecond != 0:
		r.problem(at.node, at.path, fmt.Sprintf("%s is not a whole number of ms", shorten(n.Value)))
	case d < least:
		r.problem(at.node, at.path, fmt.Sprintf("%s is too short: at least %s", shorten(n.Value), durationText(least)))
	case d > maxDuration:
		r.problem(at.node, at.path, fmt.Sprintf("%s is too long: at most %s", shorten(n.Value), durationText(maxDuration)))
	default:
		return d, true
	}
	return 0, false
}

// describe says what a value is, in terms of the text.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + shorten(n.Value)
	case "!!bool":
		return shorten(n.Value)
	case "!!timestamp":
		return "the date " + shorten(n.Value)
	}
	return strconv.Quote(shorten(n.Value))
}

// shorten keeps quoted text in a message readable.
func shorten(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
