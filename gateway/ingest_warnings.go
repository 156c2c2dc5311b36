package gateway

import (
	"fmt"

	"github.com/dashfeed/dashfeed/messages/event"
)

// ingestWarning tells of events that were accepted but are probably not what was meant. The gateway
// refuses none of them: the dashboard decides, and the sender does not see that.
type ingestWarning struct {
	Kind    string `json:"kind"`
	Count   int    `json:"count"`
	Index   int    `json:"index"` // index of the first
	Message string `json:"message"`
}

// The kinds of warnings. An answer has at most one of each. They are part of the protocol.
const (
	warnTimeSeconds      = "time_in_seconds"
	warnTimeMicroseconds = "time_in_microseconds"
	warnTimeNanoseconds  = "time_in_nanoseconds"
	warnTimeZone         = "time_without_zone"
	warnTimeInvalid      = "time_invalid"
	warnTimeOld          = "time_before_1990"
	warnValueMissing     = "value_missing"
	warnValueInvalid     = "value_invalid"
)

// before1990 is the first ms of 1990. Earlier times are mostly mistakes, such as seconds instead of
// ms.
const before1990 = 631_152_000_000

// warn checks an accepted event.
func (b *batch) warn(index int, e *event.Event) {
	if kind, message := timeWarning(e); kind != "" {
		b.warning(kind, index, message)
	}
	switch e.ValueStatus {
	case event.OK:
	case event.Missing:
		b.warning(warnValueMissing, index, `"value" is missing: a dashboard that computes with it counts the event as invalid`)
	default:
		b.warning(warnValueInvalid, index, `"value" is no finite number: a dashboard that computes with it counts the event as invalid`)
	}
}

func timeWarning(e *event.Event) (kind, message string) {
	switch e.TimeHint {
	case event.InSeconds:
		kind = warnTimeSeconds
	case event.InMicroseconds:
		kind = warnTimeMicroseconds
	case event.InNanoseconds:
		kind = warnTimeNanoseconds
	case event.WithoutZone:
		kind = warnTimeZone
	}
	switch {
	case kind != "":
		return kind, e.TimeHint.Message()
	case e.TimeStatus == event.Missing: // it gets the append time
	case e.TimeStatus != event.OK:
		return warnTimeInvalid, "the time is neither a whole number of ms since 1970 nor RFC 3339: the dashboard counts the event as invalid"
	case e.Time < before1990:
		return warnTimeOld, "the time lies before 1990: a time is a whole number of ms since 1970, or RFC 3339"
	}
	return "", ""
}

// warning counts a warning of a kind. The first one's event is named.
func (b *batch) warning(kind string, index int, message string) {
	for i := range b.warnings {
		if b.warnings[i].Kind == kind {
			b.warnings[i].Count++
			return
		}
	}
	b.warnings = append(b.warnings, ingestWarning{Kind: kind, Count: 1, Index: index, Message: fmt.Sprintf("event %d: %s", index, message)})
}
