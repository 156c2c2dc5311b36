package event

import (
	"math"
	"strconv"
)

// AppendJSON appends e as JSON in the protocol's own spellings and leaves out what e lacks. It
// writes a value or time that is not OK so that a Decoder gives it the same status. Metadata must
// be JSON.
func AppendJSON(b []byte, e *Event) []byte {
	b = append(b, '{')
	b = appendField(b, "id", e.ID)
	b = appendField(b, "tenant", e.Tenant)
	b = appendField(b, "dashboard", e.Dashboard)
	b = appendField(b, "metric", e.Metric)
	switch e.ValueStatus {
	case OK:
		b = AppendNumber(appendName(b, "value"), e.Value)
	case Type:
		b = append(appendName(b, "value"), '"', '"')
	case Range:
		b = append(appendName(b, "value"), "1e999"...)
	}
	switch e.TimeStatus {
	case OK:
		b = strconv.AppendInt(appendName(b, "time"), e.Time, 10)
	case Type:
		b = append(appendName(b, "time"), '"', '"')
	case Range:
		b = append(appendName(b, "time"), "1e999"...)
	}
	if len(e.Labels) > 0 {
		b = append(appendName(b, "labels"), '{')
		for i := range e.Labels {
			b = AppendString(appendName(b, e.Labels[i].Name), e.Labels[i].Value)
		}
		b = append(b, '}')
	}
	if len(e.Metadata) > 0 {
		b = append(appendName(b, "metadata"), e.Metadata...)
	}
	b = appendField(b, "producer", e.Producer)
	if e.HasSequence {
		b = strconv.AppendUint(appendName(b, "sequence"), e.Sequence, 10)
	}
	return append(b, '}')
}

// AppendNumber appends f in its shortest form, whole numbers below 2^53 without exponent. JSON
// cannot express a number that is not finite: it becomes 1e999 or -1e999, which a dashboard judges
// invalid.
func AppendNumber(b []byte, f float64) []byte { return appendNumber(b, f, 64) }

// appendNumber is AppendNumber for a number of 32 or 64 bits.
func appendNumber(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsInf(f, -1):
		return append(b, "-1e999"...)
	case math.IsInf(f, 1), math.IsNaN(f):
		return append(b, "1e999"...)
	}
	if a := math.Abs(f); a < 1<<53 && (a >= 1e-6 || a == 0) {
		return strconv.AppendFloat(b, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'e', -1, bits)
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return AppendString(appendName(b, name), value)
}

// appendName appends a member's name, after a comma if it is not the first.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(AppendString(b, name), ':')
}

// AppendString appends s as a JSON string. Bytes that are not UTF-8 stay, and the reader refuses
// them: replacing them could make two texts equal.
func AppendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
