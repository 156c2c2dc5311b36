package limits

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Values are values of limits that differ from others: from the defaults of Table, or, of a tenant,
// from the server's.
type Values map[Limit]float64

// Parse parses settings NAME=VALUE, as an operator writes them. The error names all that are wrong.
// allowed says which limits may be set; nil: all.
func Parse(settings []string, allowed func(Row) bool) (Values, error) {
	out := Values{}
	var errs []error
	for _, text := range settings {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			errs = append(errs, fmt.Errorf("limit %.100q is not allowed: want NAME=VALUE; names are %s", text, names(allowed)))
			continue
		}
		l, err := find(strings.TrimSpace(name), allowed)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if _, twice := out[l]; twice {
			errs = append(errs, fmt.Errorf("limit %s is given twice", l))
			continue
		}
		v, err := parseValue(&Table[l], strings.TrimSpace(value))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[l] = v
	}
	return out, errors.Join(errs...)
}

// Lowered returns the limits that a token's claim lowers. The error names what is wrong in it.
func Lowered(claim map[string]float64) (Values, error) {
	out := Values{}
	var errs []error
	for name, v := range claim {
		l, err := find(name, ofTenants)
		if err == nil && (v < 0 || math.IsNaN(v)) {
			err = fmt.Errorf("limit %s: %v is not allowed: at least 0", name, v)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[l] = v
	}
	return out, errors.Join(errs...)
}

func ofTenants(r Row) bool { return r.OfTenants() }

func find(name string, allowed func(Row) bool) (Limit, error) {
	for _, r := range Table {
		if r.Name == name && (allowed == nil || allowed(r)) {
			return r.Limit, nil
		}
	}
	return 0, fmt.Errorf("limit %.100q is not known; names are %s", name, names(allowed))
}

func names(allowed func(Row) bool) string {
	var all []string
	for _, r := range Table {
		if allowed == nil || allowed(r) {
			all = append(all, r.Name)
		}
	}
	return strings.Join(all, ", ")
}

// none is how a limit that limits nothing is written.
const none = "none"

var units = []struct {
	name  string
	bytes float64
}{{"GiB", 1 << 30}, {"MiB", mib}, {"KiB", kib}, {"B", 1}}

func parseValue(r *Row, text string) (float64, error) {
	if text == none {
		return None, nil
	}
	number, factor := text, 1.0
	if r.bytes() {
		for _, u := range units {
			if rest, ok := strings.CutSuffix(text, u.name); ok {
				number, factor = strings.TrimSpace(rest), u.bytes
				break
			}
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if v *= factor; err != nil || math.IsNaN(v) || v < 0 || v > 1<<53 || !r.isRate() && v != math.Trunc(v) {
		want := "a whole number"
		if r.isRate() {
			want = "a number"
		}
		if r.bytes() {
			want += ", also with KiB, MiB or GiB"
		}
		return 0, fmt.Errorf("limit %s: %.40q is not allowed: %s, from 0, or %s", r.Name, text, want, none)
	}
	return v, nil
}

// format returns a value as it is written.
func format(r *Row, v float64) string {
	if math.IsInf(v, 1) {
		return none
	}
	if r.bytes() {
		for _, u := range units {
			if v >= u.bytes && math.Mod(v, u.bytes) == 0 && u.bytes > 1 {
				return strconv.FormatFloat(v/u.bytes, 'f', -1, 64) + u.name
			}
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// withUnit returns a value with the limit's unit, as people write it.
func withUnit(r *Row, v float64) string {
	text := format(r, v)
	switch {
	case v == None:
		return text
	case r.bytes() && text[len(text)-1] == 'B':
		return text + r.Unit[len("bytes"):]
	}
	return text + " " + r.Unit
}
