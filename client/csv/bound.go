package csv

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// bound is a mapping whose columns were found in the header.
type bound struct {
	rules  []boundRule // labels sorted by name, as in an event
	suffix string      // suffix of ids, if another mapping gives the same ids
}

type boundRule struct {
	Rule
	index int // of the column
}

// bind finds the columns of a mapping.
func (r *Rows) bind(m Mapping) (bound, error) {
	if err := m.check(); err != nil {
		return bound{}, fmt.Errorf("%s: %w", r.options.File, err)
	}
	var b bound
	var errs []error
	for _, rule := range m {
		index := slices.Index(r.header, rule.Column)
		if rule.From == FromColumn && index < 0 {
			errs = append(errs, fmt.Errorf("%s:1: %s=%s: there is no column %q: %s", r.options.File, rule.Field, rule.Column, rule.Column, r.columns()))
		}
		if rule.From == FromColumn && index >= 0 && slices.Contains(r.header[index+1:], rule.Column) {
			errs = append(errs, fmt.Errorf("%s:1: %s=%s: two columns are called %q: %s", r.options.File, rule.Field, rule.Column, rule.Column, r.columns()))
		}
		if rule.Field == "id" && rule.From == FromRow {
			continue // as if no rule filled the id
		}
		b.rules = append(b.rules, boundRule{Rule: rule, index: index})
	}
	if len(errs) > 0 && len(r.header) == 1 && strings.ContainsAny(r.header[0], ";\t|") {
		errs = append(errs, errors.New("the header has one column: --delimiter sets the separator of columns, such as ';' or tab"))
	}
	slices.SortStableFunc(b.rules, func(x, y boundRule) int { return strings.Compare(x.Field, y.Field) })
	return b, errors.Join(errs...)
}

// columns lists the header's names, quoted if spaces or an empty name would not be visible.
func (r *Rows) columns() string {
	names := make([]string, len(r.header))
	for i, name := range r.header {
		if names[i] = name; name == "" || strings.TrimSpace(name) != name || strings.Contains(name, ",") {
			names[i] = strconv.Quote(name)
		}
	}
	return strings.Join(names, ", ")
}

// suffixOf returns the suffix of mapping i's ids. Of several events with one id a dashboard keeps
// the first only, so mappings that can fill one dashboard from one source of ids need different
// ids: the first mapping keeps them unchanged, the others append /2, /3 and so on.
func suffixOf(m []Mapping, i int) string {
	id, ok := m[i].rule("id")
	if !ok || id.From == FromRow {
		return ""
	}
	n := 1
	for _, other := range m[:i] {
		if same, ok := other.rule("id"); ok && same == id && mayMeet(m[i], other, "dashboard") && mayMeet(m[i], other, "tenant") {
			n++
		}
	}
	if n == 1 {
		return ""
	}
	return "/" + strconv.Itoa(n)
}

// mayMeet reports whether two mappings can fill a field with the same text.
func mayMeet(a, b Mapping, field string) bool {
	x, hasX := a.rule(field)
	y, hasY := b.rule(field)
	if hasX && hasY && x.From == FromConstant && y.From == FromConstant {
		return x.Text == y.Text
	}
	return true
}

// make makes the event of one row; made is false if the event's value is null.
func (b *bound) make(r *Rows, record []string) (e event.Event, made bool, failed *RowError) {
	e.TimeStatus = event.Missing
	made = true
	for i := range b.rules {
		rule := &b.rules[i]
		text, null := rule.text(r, record)
		if rule.Field == "value" && null {
			made = false
			continue
		}
		if err := b.fill(&e, rule, text, null, r); err != nil {
			failed = &RowError{Err: err}
			if rule.From == FromColumn {
				failed.Column = rule.Column
			}
			return e, false, failed
		}
	}
	if e.Metadata != nil {
		e.Metadata = append(e.Metadata, '}')
	}
	if made && e.ID == "" {
		e.ID = r.invented(&e)
	}
	if made && e.TimeStatus == event.OK {
		e.Time = r.moved(e.Time)
	}
	return e, made, nil
}

func (u *boundRule) text(r *Rows, record []string) (text string, null bool) {
	switch u.From {
	case FromConstant:
		return u.Text, false
	case FromRow:
		return strconv.Itoa(r.row), false
	}
	text = record[u.index]
	return text, r.options.isNull(text)
}

// fill puts text into the rule's field. A null leaves out an optional field.
func (b *bound) fill(e *event.Event, u *boundRule, text string, null bool, r *Rows) (err error) {
	if name, ok := strings.CutPrefix(u.Field, "labels."); ok {
		return fillLabel(e, name, text, null)
	}
	if name, ok := strings.CutPrefix(u.Field, "metadata."); ok {
		return fillMetadata(e, name, text, null)
	}
	if null {
		return fillNull(u.Field)
	}
	switch u.Field {
	case "id":
		e.ID = r.suffixed(text + b.suffix)
		return checkLength("id", e.ID, event.MaxIDBytes)
	case "tenant":
		e.Tenant = text
		return messages.CheckName("tenant", text)
	case "dashboard":
		e.Dashboard = text
		return messages.CheckName("dashboard", text)
	case "metric":
		e.Metric = text
		if !event.ValidMetric(text) {
			return fmt.Errorf("metric %.40q is not allowed: 1-%d bytes without control characters", text, event.MaxMetricBytes)
		}
	case "value":
		if e.Value, err = r.options.number(text); err != nil {
			return fmt.Errorf("value %w: --null sets the texts that mean no value", err)
		}
	case "time":
		if e.Time, err = r.options.ParseTime(text); err != nil {
			return err
		}
		e.TimeStatus = event.OK
	case "producer":
		e.Producer = text
		return checkLength("producer", text, event.MaxIDBytes)
	case "sequence":
		if e.Sequence, err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("sequence %.40q is not a whole number from 0", text)
		}
		e.HasSequence = true
	}
	return nil
}

func fillLabel(e *event.Event, name, text string, null bool) error {
	if null {
		return nil
	}
	e.Labels = append(e.Labels, event.Label{Name: name, Value: text})
	return checkLength("label "+name, text, event.MaxLabelValueBytes)
}

func fillMetadata(e *event.Event, name, text string, null bool) error {
	if null {
		return nil
	}
	mark := byte(',')
	if e.Metadata == nil {
		mark = '{'
	}
	e.Metadata = event.AppendString(append(e.Metadata, mark), name)
	e.Metadata = event.AppendString(append(e.Metadata, ':'), text)
	return checkLength("metadata", string(e.Metadata), event.MaxMetadataBytes-1)
}

func fillNull(field string) error {
	switch field {
	case "id", "tenant", "producer", "sequence":
		return nil
	}
	return fmt.Errorf("%s is null: only value, id, tenant, producer, sequence, labels and metadata may be null", field)
}

func checkLength(what, text string, most int) error {
	if len(text) > most {
		return fmt.Errorf("%s of %d bytes is too long: at most %d", what, len(text), most)
	}
	return nil
}
