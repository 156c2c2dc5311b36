package fold

import (
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// listed is a list of the newest MaxListed entries.
type listed []event.Listed

func (l *listed) add(e event.Listed) {
	if len(*l) == MaxListed {
		*l = append((*l)[:0], (*l)[1:]...)
	}
	*l = append(*l, e)
}

func listedOf(at At, e *event.Event, t int64, reason string) event.Listed {
	return event.Listed{
		ID: strings.Clone(e.ID), Time: t, Metric: strings.Clone(e.Metric), Reason: strings.Clone(reason),
		Position: at.Position.String(), TimeHint: e.TimeHint,
	}
}

func (d *Dashboard) refuse(at At, e *event.Event, t int64, reason string) {
	d.getRare().refused.add(listedOf(at, e, t, reason))
}

func (d *Dashboard) late(at At, e *event.Event, t int64, reason string) {
	d.getRare().late.add(listedOf(at, e, t, reason))
}

// invalid counts an invalid event by its reason.
func (d *Dashboard) invalid(reason string) {
	r := d.getRare()
	r.invalid++
	r.reasons.count(reason)
}

// Late returns a copy of the late list, oldest first.
func (d *Dashboard) Late() []event.Listed {
	if d.rare == nil {
		return nil
	}
	return slices.Clone(d.rare.late)
}

// Refused returns a copy of the refused list, oldest first.
func (d *Dashboard) Refused() []event.Listed {
	if d.rare == nil {
		return nil
	}
	return slices.Clone(d.rare.refused)
}

// Counters returns a copy of the counters.
func (d *Dashboard) Counters() messages.Counters {
	c := messages.Counters{
		Accepted: d.accepted, Duplicates: d.duplicates,
		InvalidReasons: map[string]uint64{}, Panels: map[string]messages.PanelCounter{},
	}
	if r := d.rare; r != nil {
		c.Invalid, c.Future, c.Horizon, c.MetricsDropped, c.SetAside = r.invalid, r.future, r.horizon, r.metricsDropped, r.setAside
		for _, n := range r.reasons {
			c.InvalidReasons[n.reason] = n.n
		}
	}
	c.Records = c.Accepted + c.Invalid + c.Future + c.Duplicates
	for i := range d.program.schema {
		c.Panels[d.program.schema[i].Panel] = d.panels[i].counter()
	}
	return c
}

func (p *panel) counter() messages.PanelCounter {
	c := messages.PanelCounter{Accepted: p.accepted}
	if r := p.rare; r != nil {
		c.Filtered, c.LateDropped, c.LateAccepted = r.filtered, r.lateDropped, r.lateAccepted
		c.Overflowed, c.Unsampled = r.overflowed, r.unsampled
		c.FilteredReasons.Cost = r.tooCostly
	}
	c.Folded = c.Accepted - c.Filtered - c.LateDropped
	return c
}
