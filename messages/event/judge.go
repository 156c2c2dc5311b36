package event

import (
	"math/bits"
	"unicode"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/messages"
)

// judge fills e from the scanned fields of b.
func (d *Decoder) judge(b []byte, e *Event) *Refusal {
	*e = Event{Labels: e.Labels[:0]}
	for _, spellings := range [...]uint32{spellingsDashboard, spellingsMetric, spellingsTime, spellingsLabels} {
		if both := d.seen & spellings; both&(both-1) != 0 {
			first := bits.TrailingZeros32(both)
			second := bits.TrailingZeros32(both & (both - 1))
			return refuse(ReasonAmbiguousField, "%q and %q are both given, they are one field", names[first], names[second])
		}
	}
	var r *Refusal
	if e.Tenant, r = d.name(b, fieldTenant, 1<<fieldTenant); r != nil {
		return r
	}
	if e.Dashboard, r = d.name(b, fieldDashboard, spellingsDashboard); r != nil {
		return r
	}
	if e.Metric, r = d.metric(b); r != nil {
		return r
	}
	if r = d.judgeLabels(b, e); r != nil {
		return r
	}
	if r = d.identity(b, e); r != nil {
		return r
	}
	e.Value, e.ValueStatus = d.value(b)
	e.Time, e.TimeStatus, e.TimeHint = d.time(b)
	if raw := d.raw(b, fieldMetadata, 1<<fieldMetadata); raw != nil {
		e.Metadata = d.oneLine(raw)
		if len(e.Metadata) > MaxMetadataBytes {
			return refusedMetadata
		}
	}
	return nil
}

// spelled returns the name that the event uses for a field.
func (d *Decoder) spelled(spellings uint32) string {
	return names[bits.TrailingZeros32(d.seen&spellings)]
}

// raw returns the JSON text of a field, given by its first spelling; nil if it is missing or null.
func (d *Decoder) raw(b []byte, f field, spellings uint32) []byte {
	if d.seen&spellings == 0 {
		return nil
	}
	s := d.fields[f]
	if b[s.start] == 'n' {
		return nil
	}
	return b[s.start:s.end]
}

// name returns the tenant or dashboard; "" if it is missing.
func (d *Decoder) name(b []byte, f field, spellings uint32) (string, *Refusal) {
	raw := d.raw(b, f, spellings)
	if raw == nil {
		return "", nil
	}
	if raw[0] != '"' {
		return "", refuse(ReasonBadName, "%q is %s, it must be a string", d.spelled(spellings), kindOf(raw[0]))
	}
	s := d.text(raw[1:len(raw)-1], d.fields[f].plain)
	if err := messages.CheckName(names[f], s); err != nil {
		return "", refuse(ReasonBadName, "%v", err)
	}
	return s, nil
}

func (d *Decoder) metric(b []byte) (string, *Refusal) {
	raw := d.raw(b, fieldMetric, spellingsMetric)
	if raw == nil {
		return "", refusedMetric
	}
	if raw[0] != '"' {
		return "", refuse(ReasonBadName, "%q is %s, it must be a string", d.spelled(spellingsMetric), kindOf(raw[0]))
	}
	s := d.text(raw[1:len(raw)-1], d.fields[fieldMetric].plain)
	if !ValidMetric(s) {
		return "", refuse(ReasonBadName, "metric %q is not allowed: 1-%d bytes without control characters", shown(s), MaxMetricBytes)
	}
	return s, nil
}

// ValidMetric reports whether s may name a metric: 1-256 bytes of UTF-8 without control characters.
func ValidMetric(s string) bool {
	if s == "" || len(s) > MaxMetricBytes {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf {
			return validUnicode(s[i:])
		} else if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func validUnicode(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// identity reads id, producer and sequence, which identify duplicates.
func (d *Decoder) identity(b []byte, e *Event) *Refusal {
	var r *Refusal
	if e.ID, r = d.identifier(b, fieldID); r != nil {
		return r
	}
	if e.Producer, r = d.identifier(b, fieldProducer); r != nil {
		return r
	}
	raw := d.raw(b, fieldSequence, 1<<fieldSequence)
	if raw == nil {
		return nil
	}
	if numeric(raw[0]) {
		negative, n, status := parseWhole(raw)
		if status == OK && (!negative || n == 0) {
			e.Sequence, e.HasSequence = n, true
			return nil
		}
	}
	return refuse(ReasonBadName, `"sequence" is %s, it must be a whole number from 0 to 2^64-1`, shown(alias(raw)))
}

func (d *Decoder) identifier(b []byte, f field) (string, *Refusal) {
	raw := d.raw(b, f, 1<<f)
	if raw == nil {
		return "", nil
	}
	s := alias(raw)
	switch {
	case raw[0] == '"':
		s = d.text(raw[1:len(raw)-1], d.fields[f].plain)
	case !numeric(raw[0]):
		return "", refuse(ReasonBadName, "%q is %s, it must be a string or a number", names[f], kindOf(raw[0]))
	}
	if len(s) > MaxIDBytes {
		return "", refuse(ReasonTooLarge, "%q is %d bytes, at most %d are allowed", names[f], len(s), MaxIDBytes)
	}
	return s, nil
}

func (d *Decoder) value(b []byte) (float64, Status) {
	raw := d.raw(b, fieldValue, 1<<fieldValue)
	switch {
	case raw == nil:
		return 0, Missing
	case numeric(raw[0]):
		return parseFloat(raw)
	}
	return 0, Type
}

func (d *Decoder) time(b []byte) (t int64, s Status, h TimeHint) {
	raw := d.raw(b, fieldTime, spellingsTime)
	switch {
	case raw == nil:
		return 0, Missing, NoHint
	case numeric(raw[0]):
		negative, n, status := parseWhole(raw)
		t, s = signedTime(negative, n, status)
	case raw[0] == '"':
		t, s = ParseTime(d.text(raw[1:len(raw)-1], d.fields[fieldTime].plain))
	default:
		s = Type
	}
	return t, s, d.hint(raw, t, s)
}

// ParseTime reads an RFC 3339 time as ms UTC.
func ParseTime(s string) (int64, Status) {
	ms, ok := parseRFC3339(s)
	if !ok {
		return 0, Type
	}
	return ms, OK
}

func signedTime(negative bool, n uint64, s Status) (int64, Status) {
	switch {
	case s != OK:
		return 0, s
	case n > MaxTime:
		return 0, Range
	case negative:
		return -int64(n), OK
	}
	return int64(n), OK
}

func numeric(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

// kindOf names the type of a JSON value by its first byte.
func kindOf(c byte) string {
	switch c {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "an array"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	}
	return "a number"
}
