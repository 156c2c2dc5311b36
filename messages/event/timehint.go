package event

// TimeHint says what a time likely is if it is not ms since 1970 as it should be. It changes no
// judgement: warnings and lists show it, so that people find their mistake.
type TimeHint uint8

// The hints. Their numbers are stored in dashboards' states: never reuse one.
const (
	NoHint    TimeHint = iota
	InSeconds          // read as ms it lies in January to April 1970
	// read as ms it lies after the year 5000: the event is in the future, or the time is invalid
	InMicroseconds
	InNanoseconds // beyond MaxTime: the time is invalid
	// a date and a time of day as text without a zone: the time is invalid
	WithoutZone
	timeHints
)

// String returns the unit, or "no zone"; "" if there is no hint.
func (h TimeHint) String() string {
	return [timeHints]string{"", "seconds", "microseconds", "nanoseconds", "no zone"}[h]
}

// MarshalText returns the unit, or "no zone".
func (h TimeHint) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the output of MarshalText. A hint that only a newer program knows becomes
// NoHint.
func (h *TimeHint) UnmarshalText(text []byte) error {
	for *h = NoHint; h.Valid(); *h++ {
		if h.String() == string(text) {
			return nil
		}
	}
	*h = NoHint
	return nil
}

// Message returns a sentence for people, "" if there is no hint.
func (h TimeHint) Message() string {
	switch h {
	case NoHint:
		return ""
	case WithoutZone:
		return `the time has no zone: RFC 3339 ends in Z or an offset such as +01:00`
	}
	return "the time is likely in " + h.String() + ": a time is a whole number of ms since 1970, or RFC 3339"
}

// Valid reports whether h is one of the hints.
func (h TimeHint) Valid() bool { return h < timeHints }

// LikelyUnit returns the unit in which a number that should be ms was likely written. Seconds from
// 1973 to 2286 have 9 or 10 digits, and each finer unit has three more; read as ms they lie where
// hardly any events do.
func LikelyUnit(n int64) TimeHint { return likelyUnit(float64(n)) }

func likelyUnit(n float64) TimeHint {
	const least, beyond = 1e8, 1e10 // seconds
	switch {
	case n < least:
	case n < beyond:
		return InSeconds
	case n < least*1e6:
	case n < beyond*1e6:
		return InMicroseconds
	case n >= least*1e9 && n < beyond*1e9:
		return InNanoseconds
	}
	return NoHint
}

// hint judges the JSON text of a time that was read as t and s.
func (d *Decoder) hint(raw []byte, t int64, s Status) TimeHint {
	switch {
	case s == OK && numeric(raw[0]):
		return LikelyUnit(t)
	case numeric(raw[0]): // a fraction, as seconds often have, or beyond MaxTime
		f, _ := parseFloat(raw)
		return likelyUnit(f)
	case s != OK && raw[0] == '"' && zoneless(d.text(raw[1:len(raw)-1], d.fields[fieldTime].plain)):
		return WithoutZone
	}
	return NoHint
}

// zoneless reports whether s is RFC 3339 except for a missing zone. It accepts the space that many
// write instead of the T.
func zoneless(s string) bool {
	const most = len("2006-01-02T15:04:05.000000000")
	if len(s) > most || len(s) < len("2006-01-02T15:04:05") {
		return false
	}
	var b [most + 1]byte
	n := copy(b[:], s)
	b[n] = 'Z'
	if b[10] == ' ' {
		b[10] = 'T'
	}
	_, ok := parseRFC3339(string(b[:n+1]))
	return ok
}
