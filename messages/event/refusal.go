package event

import (
	"fmt"
	"unicode/utf8"
)

// The reasons for which the gateway refuses an event. They are part of the protocol: counters and
// answers carry them.
const (
	ReasonMalformed        = "malformed"         // not JSON
	ReasonNotAnObject      = "not_an_object"     // JSON, but not an object
	ReasonMissingDashboard = "missing_dashboard" // neither the event nor the request names one
	ReasonMissingMetric    = "missing_metric"    //
	// tenant, dashboard, metric, id, producer or sequence is not allowed
	ReasonBadName = "bad_name"
	// labels is not an object, or one of its names or values is not allowed
	ReasonBadLabel       = "bad_label"
	ReasonAmbiguousField = "ambiguous_field" // a field is given in two spellings
	ReasonForbidden      = "forbidden"       // the token does not allow the dashboard
	ReasonWrongTenant    = "wrong_tenant"    // the event names another tenant than the request
	ReasonUnknownTenant  = "unknown_tenant"  // the log separates tenants and does not have this one
	// the shard, or the tenant in it, has as many dashboards as allowed, and this would be a new
	// one
	ReasonCrowded  = "too_many_dashboards"
	ReasonTooLarge = "too_large" // over a limit
)

// Reasons lists every reason, in the order of docs/PROTOCOL.md.
func Reasons() []string {
	return []string{
		ReasonMalformed, ReasonNotAnObject, ReasonMissingDashboard, ReasonMissingMetric, ReasonBadName,
		ReasonBadLabel, ReasonAmbiguousField, ReasonWrongTenant, ReasonUnknownTenant, ReasonCrowded, ReasonTooLarge,
	}
}

// Limits of one event. Where a text says "at most", more is refused as too_large. A name that is
// too long is not a valid name, and is refused as bad_name (a label's: bad_label).
const (
	MaxBytes           = 64 << 10 // of its JSON text
	MaxMetricBytes     = 256
	MaxLabels          = 32
	MaxLabelNameBytes  = 64
	MaxLabelValueBytes = 256
	MaxMetadataBytes   = 16 << 10
	MaxIDBytes         = 256 // of an id or a producer; the fold remembers them
	MaxNesting         = 32  // the event itself is the first level
	// MaxTime is the greatest distance of an event time from 1970, in ms: what a browser's date can
	// hold. It is below 2^53, so every client reads it exactly, and sums of times cannot overflow.
	MaxTime = 8_640_000_000_000_000
)

// Refusal says why one event is refused. Message is meant for people.
type Refusal struct {
	Reason  string
	Message string
}

// Error returns reason and message.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Message }

// BodyError says why a whole body is refused. Nothing that was yielded before it may be stored.
type BodyError struct {
	TooLarge bool // over a size limit, rather than unreadable
	Message  string
}

// Error returns the message.
func (e *BodyError) Error() string { return e.Message }

func refuse(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// The gateway meets these by the million when somebody sends garbage, so they are made once.
var (
	refusedDashboard = refuse(ReasonMissingDashboard, `"dashboard" is missing`)
	refusedMetric    = refuse(ReasonMissingMetric, `"metric" is missing`)
	refusedNoObject  = refuse(ReasonNotAnObject, "an event is a JSON object, this is another JSON value")
	refusedEmpty     = refuse(ReasonMalformed, "no JSON value")
	// never shown: the caller adds where it is
	refusedText     = refuse(ReasonMalformed, "a text is not UTF-8")
	refusedBytes    = refuse(ReasonTooLarge, "an event is at most %d bytes", MaxBytes)
	refusedNesting  = refuse(ReasonTooLarge, "nested more than %d levels deep", MaxNesting)
	refusedLabels   = refuse(ReasonTooLarge, "more than %d labels", MaxLabels)
	refusedMetadata = refuse(ReasonTooLarge, `"metadata" is more than %d bytes`, MaxMetadataBytes)
)

// syntax describes the error code that a scan of b returned.
func syntax(b []byte, code int) string {
	if code == tooDeep {
		return "nested too deep"
	}
	at := ^code
	if at >= len(b) {
		return fmt.Sprintf("unexpected end after %d bytes", len(b))
	}
	r, size := utf8.DecodeRune(b[at:])
	if r == utf8.RuneError && size == 1 { // the input has no U+FFFD: name the byte instead
		return fmt.Sprintf("unexpected byte 0x%02x at byte %d", b[at], at)
	}
	return fmt.Sprintf("unexpected %q at byte %d", r, at)
}

// shown shortens a given text for a message.
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
