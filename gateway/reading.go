package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// maxWait is the longest wait of a reading.
const maxWait = time.Minute

// readingRequest is the request of a GET /v1/dashboards/{id}.
type readingRequest struct {
	key     messages.Key
	caller  caller
	since   messages.Place   // Version 0: from the beginning
	known   []messages.Place // places in If-None-Match; anything else matches nothing
	any     bool             // If-None-Match is *
	after   []feed.After     // one of them belongs to the dashboard's partition
	wait    time.Duration
	panels  []string
	groups  []wire.Tuple
	bare    bool // without cells
	late    bool
	refused bool
}

// serveReading serves GET /v1/dashboards/{id}: a snapshot, or what changed since a place, at once
// or when there is a change.
func (s *Server) serveReading(w http.ResponseWriter, r *http.Request, v query, c caller) {
	k, err := c.key("", r.PathValue("id"), read)
	if err != nil {
		writeError(w, err)
		return
	}
	q, err := parseReading(k, v, r.Header.Values("If-None-Match"))
	if err != nil {
		writeError(w, err)
		return
	}
	q.caller = c
	by, at := c.by(), limits.Key(k)
	cost := want{q.panels, q.groups}.cost() // the request may wait for a minute
	if err := s.holdReading(&by, at, cost); err != nil {
		writeError(w, err)
		return
	}
	defer s.releaseReading(&by, at, cost)
	limit := s.cfg.Mirrors.Load + patience + q.wait
	if len(q.after) > 0 && q.wait > 0 {
		limit = q.wait
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	stop := context.AfterFunc(s.ctx, cancel) // a gateway that stops does not wait
	defer stop()
	got, p, err := s.lookFrom(ctx, q)
	if err == nil && q.wait > 0 && len(q.after) == 0 && q.holds(got, p) {
		if s.await(ctx, q, got) {
			got, p, err = s.look(ctx, q)
		}
	}
	if err != nil {
		writeError(w, err)
		return
	}
	place := messages.Place{Epoch: got.Epoch, Version: got.To, View: p.View}
	w.Header().Set("ETag", `"`+place.String()+`"`)
	w.Header().Set("Cache-Control", "no-cache")
	if q.any || slices.Contains(q.known, place) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body := s.appendReading(nil, q, got, p)
	s.cfg.Limits.Charge(limits.SubjectBytes, &by, at, len(body))
	_, _ = w.Write(body) // the client may have left
}

// lookFrom is like look, for a caller whose place may be ahead of what is served, because another
// node that was further had served it. It waits for that place as long as a WebSocket session does.
// After that, the answer starts from 0.
func (s *Server) lookFrom(ctx context.Context, q *readingRequest) (*feed.Reading, *wire.Projection, error) {
	got, p, err := s.look(ctx, q)
	if err != nil || !q.ahead(got, p) {
		return got, p, err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := s.mirrors.acquire(wait, q.key)
	if err != nil {
		return got, p, nil
	}
	defer s.mirrors.release(m)
	at := got.At()
	for wait.Err() == nil && q.ahead(got, p) {
		select {
		case <-wait.Done():
		case <-m.changed(at.Epoch, at.Version):
		}
		// What is read may be behind the mirror, so look again only after more news.
		at = m.place()
		if got, p, err = s.look(ctx, q); err != nil {
			return nil, nil, err
		}
	}
	return got, p, nil
}

// ahead reports whether the caller holds a place beyond what was read, in the same history.
func (q *readingRequest) ahead(got *feed.Reading, p *wire.Projection) bool {
	beyond := func(at messages.Place) bool {
		return at.Epoch == got.Epoch && (at.View == 0 || at.View == p.View) && at.Version > got.To
	}
	return beyond(q.since) || slices.ContainsFunc(q.known, beyond)
}

// look reads the dashboard and projects the view.
func (s *Server) look(ctx context.Context, q *readingRequest) (*feed.Reading, *wire.Projection, error) {
	fq := feed.Query{Epoch: q.since.Epoch, Since: q.since.Version, Lists: q.late || q.refused, MustExist: true}
	got, err := s.readAfter(ctx, q, &fq)
	if err != nil {
		return nil, nil, err
	}
	if err := q.caller.maySee(got.Schema); err != nil {
		return nil, nil, err
	}
	p, err := wire.Project(q.key, got.Schema, q.panels, q.groups)
	if err != nil {
		return nil, nil, err
	}
	if got.From != 0 && (q.since.View != 0 && q.since.View != p.View || got.From > got.To) {
		fq.Epoch, fq.Since = 0, 0 // the place belongs to another view, or is ahead
		if got, err = s.cfg.Feed.Read(ctx, q.key, fq); err != nil {
			return nil, nil, err
		}
		if err = q.caller.maySee(got.Schema); err != nil { // it may have another definition by now
			return nil, nil, err
		}
	}
	return &got, p, nil
}

// holds reports whether the caller already has what was read, so that it must wait for more.
func (q *readingRequest) holds(got *feed.Reading, p *wire.Projection) bool {
	if q.any || slices.Contains(q.known, messages.Place{Epoch: got.Epoch, Version: got.To, View: p.View}) {
		return true
	}
	return q.since.Version != 0 && q.since.Epoch == got.Epoch && got.From == q.since.Version && !p.Touched(&got.Update.Update)
}

// await waits until the dashboard moves beyond what was read. It returns false if the time runs
// out.
func (s *Server) await(ctx context.Context, q *readingRequest, got *feed.Reading) bool {
	ctx, cancel := context.WithTimeout(ctx, q.wait)
	defer cancel()
	m, err := s.mirrors.acquire(ctx, q.key)
	if err != nil {
		return false
	}
	defer s.mirrors.release(m)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-m.changed(got.Epoch, got.To):
		}
		// A new version alone is not news: the caller waits for a change that the view shows.
		again, p, err := s.look(ctx, q)
		if err != nil || !q.holds(again, p) {
			return err == nil
		}
		got = again
	}
}

// appendReading appends the body of the answer.
func (s *Server) appendReading(b []byte, q *readingRequest, got *feed.Reading, p *wire.Projection) []byte {
	state, since, lag := freshness(s.cfg.Feed.Status(q.key), got.Time)
	field := func(name string) { b = append(append(append(b, `,"`...), name...), `":`...) }
	b = append(b, `{"dashboard":`...)
	b = wire.AppendString(b, q.key.Dashboard)
	field("tenant")
	b = wire.AppendString(b, q.key.Tenant)
	field("epoch")
	b = wire.AppendString(b, got.Epoch.String())
	field("version")
	b = strconv.AppendUint(b, got.To, 10)
	field("view")
	b = wire.AppendString(b, p.View.String())
	field("time")
	b = strconv.AppendInt(b, got.Time, 10)
	field("watermark")
	if got.Watermark == messages.NoTime {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, got.Watermark, 10)
	}
	field("state")
	b = wire.AppendString(b, state)
	field("since")
	if state == wire.StateLive {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, since, 10)
	}
	field("lag")
	b = strconv.AppendInt(b, lag, 10)
	field("schema")
	b = appendJSON(b, p.Schema)
	field("from")
	b = strconv.AppendUint(b, got.From, 10)
	field("to")
	b = strconv.AppendUint(b, got.To, 10)
	field("cells")
	if q.bare {
		b = append(b, `[],"removed":[]`...)
	} else {
		b = wire.AppendCells(b, p, &got.Update.Update)
		field("removed")
		b = wire.AppendRemovedList(b, p, &got.Update.Update)
	}
	field("latest")
	b = appendNewest(b, &got.Update.Update, got.Metrics, "time")
	field("counters")
	b = appendJSON(b, got.Counters)
	if q.late {
		field("late")
		b = appendJSON(b, listed(got.Late))
	}
	if q.refused {
		field("refused")
		b = appendJSON(b, listed(got.Refused))
	}
	return append(b, "}\n"...)
}

// listed turns a nil list into an empty array.
func listed(l []event.Listed) []event.Listed {
	if l == nil {
		return []event.Listed{}
	}
	return l
}

// appendJSON appends a value of a type that always marshals.
func appendJSON(b []byte, v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, body...)
}

var readingParameters = []string{"tenant", "since", "wait", "after", "panels", "groups", "cells", "include"}

func parseReading(k messages.Key, v query, ifNoneMatch []string) (q *readingRequest, err error) {
	q = &readingRequest{key: k}
	if t, ok := v["since"]; ok {
		if q.since, err = messages.ParsePlace(t); err != nil {
			return nil, wire.Errorf(wire.CodeBadOption, "since: %v", err)
		}
	}
	match := tagsOf(ifNoneMatch)
	q.any = match.any
	for _, tag := range match.list {
		if p, err := messages.ParsePlace(tag); err == nil && p.View != 0 {
			q.known = append(q.known, p)
		}
	}
	if q.after, err = parseAfter(v["after"]); err != nil {
		return nil, err
	}
	if t, ok := v["wait"]; ok {
		if q.wait, err = time.ParseDuration(t); err != nil || q.wait < 0 || q.wait > maxWait {
			return nil, wire.Errorf(wire.CodeBadOption, "wait %.40q is not allowed: a duration of 0s to %v", t, maxWait)
		}
	}
	if err := q.parseProjection(v); err != nil {
		return nil, err
	}
	if t, ok := v["cells"]; ok {
		if q.bare = t == "none"; !q.bare {
			return nil, wire.Errorf(wire.CodeBadOption, "cells %.40q is not allowed: none, or left out", t)
		}
	}
	for _, name := range split(v["include"]) {
		switch name {
		case "late":
			q.late = true
		case "refused":
			q.refused = true
		default:
			return nil, wire.Errorf(wire.CodeBadOption, "include %.40q is not allowed: late, refused", name)
		}
	}
	return q, nil
}

func (q *readingRequest) parseProjection(v query) error {
	q.panels = split(v["panels"])
	if t, ok := v["groups"]; ok {
		err := json.Unmarshal([]byte(t), &q.groups)
		if err != nil || len(q.groups) == 0 {
			return wire.Errorf(wire.CodeBadOption, `groups %.40q is not a JSON array of groups, as in [["DE"],[null]]`, t)
		}
		if _, err := event.CheckText([]byte(t)); err != nil {
			return wire.Errorf(wire.CodeBadOption, "groups: %v", err)
		}
	}
	wanted, err := wantOf(q.panels, q.groups)
	q.panels = wanted.panels
	return err
}

// readAfter reads after the position that belongs to the dashboard's partition. A client that
// posted knows no partition, only the position in each.
func (s *Server) readAfter(ctx context.Context, q *readingRequest, fq *feed.Query) (got feed.Reading, err error) {
	if len(q.after) == 0 {
		return s.cfg.Feed.Read(ctx, q.key, *fq)
	}
	for i := range q.after {
		fq.After = &q.after[i]
		if got, err = s.cfg.Feed.Read(ctx, q.key, *fq); !errors.Is(err, feed.ErrPartition) {
			return got, err
		}
	}
	return got, err
}

// maxAfter is how many positions a reading may name: as many as a tenant has partitions.
const maxAfter = 1024

// parseAfter parses PARTITION:POSITION, or several separated by commas.
func parseAfter(s string) (all []feed.After, err error) {
	list := split(s)
	if len(list) > maxAfter {
		return nil, wire.Errorf(wire.CodeBadOption, "after has %d positions, at most %d are allowed", len(list), maxAfter)
	}
	for _, one := range list {
		partition, position, ok := strings.Cut(one, ":")
		n, err := strconv.Atoi(partition)
		if !ok || err != nil || n < 0 {
			err = errors.New("want PARTITION:POSITION, several with commas")
		}
		a := feed.After{Partition: n}
		if err == nil {
			a.Position, err = messages.ParsePosition(position)
		}
		if err != nil {
			return nil, wire.Errorf(wire.CodeBadOption, "after %.60q: %v", one, err)
		}
		all = append(all, a)
	}
	return all, nil
}

// split splits a list at its commas; "" is the empty list.
func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}
