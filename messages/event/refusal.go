package event

import (
	"fmt"
	"unicode/utf8"
)

// The reasons for which a door refuses an event. They are words of the protocol: counters and
// answers carry them.
const (
	ReasonMalformed        = "malformed"         // not JSON
	ReasonNotAnObject      = "not_an_object"     // JSON, but no object
	ReasonMissingDashboard = "missing_dashboard" // neither the event nor the request names one
	ReasonMissingMetric    = "missing_metric"    //
	// tenant, dashboard, metric, id, producer or sequence is not allowed
	ReasonBadName = "bad_name"
	// labels are no object, or a name or value in them is not allowed
	ReasonBadLabel       = "bad_label"
	ReasonAmbiguousField = "ambiguous_field" // a field and its other spelling are both given
	ReasonWrongTenant    = "wrong_tenant"    // another tenant than the request's
	ReasonUnknownTenant  = "unknown_tenant"  // the log keeps tenants apart and has not got this one
	// its shard, or its tenant in it, has as many dashboards as it may, and this is another
	ReasonCrowded  = "too_many_dashboards"
	ReasonTooLarge = "too_large" // over a limit
)

// Reasons lists every reason, in the order of the protocol's page.
func Reasons() []string {
	return []string{
		ReasonMalformed, ReasonNotAnObject, ReasonMissingDashboard, ReasonMissingMetric, ReasonBadName,
		ReasonBadLabel, ReasonAmbiguousField, ReasonWrongTenant, ReasonUnknownTenant, ReasonCrowded, ReasonTooLarge,
	}
}

// Limits of one event. What is said to be "at most" is refused as too_large beyond it; a name that
// is too long is not a name, and refused as bad_name (a label's: bad_label).
const (
	MaxBytes           = 64 << 10 // of its JSON text
	MaxMetricBytes     = 256
	MaxLabels          = 32
	MaxLabelNameBytes  = 64
	MaxLabelValueBytes = 256
	MaxMetadataBytes   = 16 << 10
	MaxIDBytes         = 256 // of an id or a producer: they are remembered
	MaxNesting         = 32  // the event itself is the first level
	// MaxTime is the furthest event time from 1970 either way, ms: what a date in a browser can
	// hold. It is below 2^53, so every client reads it exactly, and far from where sums of times
	// wrap around.
	MaxTime = 8_640_000_000_000_000
)

// Refusal says why one event is refused. Message is for people.
type Refusal struct {
	Reason  string
	Message string
}

// Error is reason and message.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Message }

// BodyError says why a whole body is refused: nothing that was yielded before it may be stored.
type BodyError struct {
	TooLarge bool // over a limit of size rather than unreadable
	Message  string
}

// Error is the message.
func (e *BodyError) Error() string { return e.Message }

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// A door sees these by the million when somebody sends rubbish; they are made once.
var (
	refusedDashboard = refuse(ReasonMissingDashboard, `"dashboard" is missing`)
	refusedMetric    = refuse(ReasonMissingMetric, `"metric" is missing`)
	refusedNoObject  = refuse(ReasonNotAnObject, "an event is a JSON object, this is another JSON value")
	refusedEmpty     = refuse(ReasonMalformed, "no JSON value")
	refusedText      = refuse(ReasonMalformed, "a text is not UTF-8") // never shown: it gets its place
	refusedBytes     = refuse(ReasonTooLarge, "an event is at most %d bytes", MaxBytes)
	refusedNesting   = refuse(ReasonTooLarge, "nested more than %d levels deep", MaxNesting)
	refusedLabels    = refuse(ReasonTooLarge, "more than %d labels", MaxLabels)
	refusedMetadata  = refuse(ReasonTooLarge, `"metadata" is more than %d bytes`, MaxMetadataBytes)
)

// syntax describes the error code that a scan of b gave.
func syntax(b []byte, code int) string {
	if code == tooDeep {
		return "nested too deep"
	}
	at := ^code
	if at >= len(b) {
		return fmt.Sprintf("unexpected end after %d bytes", len(b))
	}
	r, size := utf8.DecodeRune(b[at:])
	if r == utf8.RuneError && size == 1 { // the character that stands for no text was not given
		return fmt.Sprintf("unexpected byte 0x%02x at byte %d", b[at], at)
	}
	return fmt.Sprintf("unexpected %q at byte %d", r, at)
}

// shown shortens what was given for a message.
func shown(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
