package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// outcome says what became of the events that were stored for one dashboard.
type outcome struct {
	account *account

	counted, late, invalid, future, duplicates, filtered uint64

	reasons   map[string]uint64 // of invalid events
	panels    map[string]uint64 // late events by panel
	foreign   uint64            // records of others meanwhile, or events sent again
	err       error             // why the outcome is not known
	recounted uint64            // counted, though copies of them may have been counted before
}

var (
	errEpoch   = errors.New("its history began anew meanwhile")
	errMissing = errors.New("it tells of fewer records than were stored")
	errUnsure  = errors.New("the door did not say which events it stored")
)

// outcome compares the dashboard's counters before and now. If exactly our records came in between,
// the difference is ours alone. If more came, the dropped ones may be others': as many as possible
// are taken for ours, and the output says so.
func (a *account) outcome(now counted, err error, retried bool) outcome {
	o := outcome{account: a, reasons: map[string]uint64{}, panels: map[string]uint64{}}
	var refused *client.Error
	switch {
	case errors.As(err, &refused) && refused.Code == int(wire.CodeCrowded):
		o.invalid = a.stored
		o.reasons[fold.RefusedDashboards] = a.stored
		return o
	case err != nil:
		o.err = err
	case a.unsure > 0:
		o.err = errUnsure
	case a.before.epoch != "" && a.before.Records > 0 && now.epoch != a.before.epoch, now.Records < a.before.Records:
		o.err = errEpoch
	case now.Records-a.before.Records < a.stored:
		o.err = errMissing
	}
	if o.err != nil {
		return o
	}
	was := &a.before.Counters
	o.foreign = now.Records - was.Records - a.stored
	o.duplicates = now.Duplicates - was.Duplicates
	if retried {
		o.duplicates -= min(o.foreign, o.duplicates) // batches that were sent again
	}
	o.take(was, &now.Counters)
	if was.Accepted > 0 {
		o.recounted = min(o.counted, a.invented)
	}
	return o
}

func (o *outcome) take(was, now *messages.Counters) {
	stored := o.account.stored
	o.duplicates = min(o.duplicates, stored)
	o.invalid = min(now.Invalid-was.Invalid, stored)
	o.future = min(now.Future-was.Future, stored)
	for reason, n := range now.InvalidReasons {
		if n > was.InvalidReasons[reason] {
			o.reasons[reason] = n - was.InvalidReasons[reason]
		}
	}
	var entered uint64 // events that panels folded, or that were too late for them
	for id, panel := range now.Panels {
		before := was.Panels[id]
		late := panel.LateDropped - before.LateDropped
		entered += panel.Folded - before.Folded + late
		if late > 0 {
			o.panels[id] = late
			o.late = max(o.late, min(late, stored))
		}
	}
	accepted := min(now.Accepted-was.Accepted, stored-min(stored, o.invalid+o.future+o.duplicates))
	o.filtered = accepted - min(accepted, entered)
	o.late = min(o.late, accepted-o.filtered)
	o.counted = accepted - o.filtered - o.late
}

// dropped returns how many events were dropped.
func (o *outcome) dropped() uint64 { return o.late + o.invalid + o.future }

// String says what was dropped, and how certain that is.
func (o *outcome) String() string {
	var parts []string
	if o.late > 0 {
		parts = append(parts, fmt.Sprintf("%d late (%s)", o.late, byName(o.panels, "panel ")))
	}
	if o.invalid > 0 {
		parts = append(parts, fmt.Sprintf("%d invalid (%s)", o.invalid, byName(o.reasons, "")))
	}
	if o.future > 0 {
		parts = append(parts, fmt.Sprintf("%d in the future", o.future))
	}
	text := fmt.Sprintf("%s: of %d events %s", o.account.key.Label(), o.account.stored, strings.Join(parts, ", "))
	if o.foreign > 0 {
		text += fmt.Sprintf("; %d more records came to it meanwhile, from others or sent again: some of these may be among them", o.foreign)
	}
	return text
}

// byName lists counts, the greatest first.
func byName(counts map[string]uint64, what string) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	const most = 5
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s%s %d", what, name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

// settlement says what became of all events.
type settlement struct {
	counted, late, invalid, future, duplicates, filtered, unknown uint64

	dropped []string // what dashboards dropped, one line each
	unclear []string // dashboards whose outcome is not known
	again   []string // dashboards for which a rerun could not be checked
}

func (s *settlement) add(o *outcome) {
	label := o.account.key.Label()
	if o.err != nil {
		s.unknown += o.account.stored + o.account.unsure
		s.unclear = append(s.unclear, fmt.Sprintf("%s: what became of %d events is not known: %v", label, o.account.stored+o.account.unsure, o.err))
		return
	}
	s.counted += o.counted
	s.late += o.late
	s.invalid += o.invalid
	s.future += o.future
	s.duplicates += o.duplicates
	s.filtered += o.filtered
	if o.dropped() > 0 {
		s.dropped = append(s.dropped, o.String())
	}
	switch {
	case o.recounted > 0:
		s.again = append(s.again, fmt.Sprintf("%s: whether this file was published before could be checked only as far back as the dashboard remembers ids (dedupe.horizon, at most %d events): "+
			"what is older is counted again", label, fold.MaxIDs))
	case o.account.invented > fold.MaxIDs:
		s.again = append(s.again, fmt.Sprintf("%s: %d events are more than the %d ids it remembers: were this file published again, that could not be checked", label, o.account.invented, fold.MaxIDs))
	}
}
