package csv

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/messages/event"
)

// Mapping makes one event from a row: it has one rule for each field that it fills.
type Mapping []Rule

// Rule fills one field of an event.
type Rule struct {
	Field  string // as written: "value", "labels.carrier"
	From   Source
	Column string // for FromColumn
	Text   string // for FromConstant
}

// Source says where a rule's text comes from.
type Source uint8

// The sources.
const (
	FromColumn   Source = iota
	FromConstant        // ==TEXT
	FromRow             // =@row
)

// Fields lists the fields that a rule may fill, as users write them.
var Fields = []string{"id", "tenant", "dashboard", "metric", "value", "time", "producer", "sequence", "labels.NAME", "metadata.NAME"}

// ParseMapping reads rules such as "labels.carrier=carrier", "metric==dep_delay" and "id=@row".
func ParseMapping(rules []string) (Mapping, error) {
	var m Mapping
	for _, text := range rules {
		field, right, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("mapping %q has no =: FIELD=COLUMN, FIELD==CONSTANT or FIELD=@row", text)
		}
		r, err := parseRule(field, right)
		if err != nil {
			return nil, fmt.Errorf("mapping %q: %w", text, err)
		}
		m = append(m, r)
	}
	return m, m.check()
}

// parseRule reads a field and the right side of its rule.
func parseRule(field, right string) (Rule, error) {
	r := Rule{Field: strings.TrimSpace(field)}
	if err := checkField(r.Field); err != nil {
		return r, err
	}
	constant, isConstant := strings.CutPrefix(right, "=")
	switch {
	case isConstant:
		r.From, r.Text = FromConstant, constant
	case right == "@row":
		r.From = FromRow
	case strings.HasPrefix(right, "@"):
		return r, fmt.Errorf("%q is not known: @row is the only word with @", right)
	case right == "":
		return r, fmt.Errorf("no column after %q", r.Field+"=")
	default:
		r.Column = right
	}
	return r, nil
}

func checkField(field string) error {
	if name, ok := strings.CutPrefix(field, "labels."); ok {
		if !event.ValidLabelName(name) {
			return fmt.Errorf("label name %q is not allowed: 1-%d bytes of A-Z a-z 0-9 _ . -, beginning with a letter or _", name, event.MaxLabelNameBytes)
		}
		return nil
	}
	if name, ok := strings.CutPrefix(field, "metadata."); ok && name != "" {
		return nil
	}
	if slices.Contains(Fields[:8], field) {
		return nil
	}
	return fmt.Errorf("field %q is not known: %s", field, strings.Join(Fields, ", "))
}

// check checks a mapping as a whole.
func (m Mapping) check() error {
	labels := 0
	for i, r := range m {
		if strings.HasPrefix(r.Field, "labels.") {
			labels++
		}
		for _, other := range m[:i] {
			if other.Field == r.Field {
				return fmt.Errorf("field %q is mapped twice", r.Field)
			}
		}
	}
	if labels > event.MaxLabels {
		return fmt.Errorf("%d labels are mapped, at most %d are allowed", labels, event.MaxLabels)
	}
	for _, needed := range []string{"metric", "value"} {
		if _, ok := m.rule(needed); !ok {
			return fmt.Errorf("field %q is not mapped: dashboard (or --dashboard), metric and value are needed", needed)
		}
	}
	return nil
}

func (m Mapping) rule(field string) (Rule, bool) {
	for _, r := range m {
		if r.Field == field {
			return r, true
		}
	}
	return Rule{}, false
}
