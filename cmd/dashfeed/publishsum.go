package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// remarks counts what is known of events before a dashboard judges them. It keeps the first line of
// each kind.
type remarks struct {
	order []string
	kinds map[string]*remark
}

type remark struct {
	n     int
	first int // the number of a line
}

func (r *remarks) add(e *outgoing) {
	if e.remark == "" {
		return
	}
	known, ok := r.kinds[e.remark]
	if !ok {
		if r.kinds == nil {
			r.kinds = map[string]*remark{}
		}
		known = &remark{first: e.line}
		r.kinds[e.remark] = known
		r.order = append(r.order, e.remark)
	}
	known.n++
}

// sum prints what became of the events.
func (c *publishCommand) sum(p *program, s *sending, err error) error {
	stats, made := s.publisher.Stats(), s.input.stats()
	refused := stats.Refused
	for _, n := range s.refused {
		refused += uint64(n)
	}
	settled := &settlement{unknown: stats.Accepted}
	if err == nil || p.Err() == nil {
		settled = s.ledger.settle(p, stats.Retries > 0)
	}
	s.explain(settled)
	if p.Err() != nil {
		p.talk("interrupted: %d events were stored. Published again, the file goes on from there: what was counted is not counted twice, as long as the dashboard remembers ids", stats.Accepted)
	}
	if err == nil && stats.Accepted+refused == 0 && made.bad+made.null == 0 {
		p.talk("%s contains no event", s.input.name)
	}
	t := table{columns: []string{
		"ACCEPTED", "REFUSED", "RETRIES", "BAD", "NULL", "COUNTED", "LATE", "INVALID", "FUTURE", "DUPLICATES", "FILTERED", "UNKNOWN", "SECONDS",
	}}
	t.add(stats.Accepted, refused, stats.Retries, made.bad, made.null, settled.counted, settled.late, settled.invalid, settled.future,
		settled.duplicates, settled.filtered, settled.unknown, float64(time.Since(s.began).Milliseconds())/1000)
	if printed := t.print(p.stdout, c.Output); err == nil {
		err = printed
	}
	if err != nil {
		return err
	}
	if p.Err() != nil {
		return context.Canceled
	}
	return settled.verdict(refused, made.bad)
}

// toldDashboards is how many dashboards are printed one by one.
const toldDashboards = 10

// explain prints the details behind the sum.
func (s *sending) explain(settled *settlement) {
	for _, kind := range s.remarks.order {
		r := s.remarks.kinds[kind]
		s.program.talk("%s:%d: %d events, this the first, %s", s.input.name, r.first, r.n, kind)
	}
	for _, list := range [][]string{settled.dropped, settled.unclear, settled.again} {
		for i, line := range list {
			if i == toldDashboards {
				s.program.talk("the same holds for %d more dashboards", len(list)-i)
				break
			}
			s.program.talk("%s", line)
		}
	}
	if settled.duplicates > 0 {
		s.program.talk("%d events were duplicates, and not counted again: events with their ids are counted already. One without an id has one made from the file up to and with it", settled.duplicates)
	}
	if settled.filtered > 0 {
		s.program.talk("the filters of all panels excluded %d events", settled.filtered)
	}
}

// verdict returns nil only if every event that was read was counted, left out by a filter, or a
// copy.
func (s *settlement) verdict(refused uint64, bad int) error {
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{refused, "events were refused"},
		{uint64(bad), "rows could not be read"},
		{s.late, "events were late"},
		{s.invalid, "events were invalid"},
		{s.future, "events lay in the future"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	switch {
	case len(parts) > 0:
		return &exitError{exitRefused, errors.New(strings.Join(parts, ", "))}
	case s.unknown > 0:
		return fmt.Errorf("%d events are stored, but what became of them is unknown", s.unknown)
	}
	return nil
}
