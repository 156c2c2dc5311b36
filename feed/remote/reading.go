package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
)

// errUnknownRequest is what an older owner says to a newer gateway.
var errUnknownRequest = errors.New("the owner does not know this kind of request; upgrade it")

// codes are the errors that keep their meaning over a link, by number. A number is never used again.
var codes = []struct {
	code uint32
	err  error
}{
	{1, feed.ErrUnknown},
	{2, feed.ErrNotInTime},
	{3, feed.ErrStarting},
	{4, feed.ErrPartition},
	{5, feed.ErrClosed},
	{6, eventlog.ErrUnknownTenant},
	{7, feed.ErrNotHere},
	{8, feed.ErrUnserved},
	{9, feed.ErrCrowded},
}

// again reports whether the same request may have another answer soon.
func again(code uint32) bool {
	err := errorIn(code, "")
	return errors.Is(err, feed.ErrStarting) || errors.Is(err, feed.ErrClosed) || errors.Is(err, feed.ErrNotHere) || errors.Is(err, feed.ErrUnserved)
}

// otherCode is of an error that has only a text.
const otherCode = 100

func errorOut(err error) (code uint32, message string) {
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return c.code, err.Error()
		}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return errorOut(feed.ErrNotInTime)
	}
	return otherCode, err.Error()
}

func errorIn(code uint32, message string) error {
	if code == 0 {
		return nil
	}
	for _, c := range codes {
		if c.code == code {
			return told{message, c.err}
		}
	}
	return errors.New(message)
}

// told is an error of the other end: its text, and what it is.
type told struct {
	text string
	is   error
}

func (e told) Error() string { return e.text }

func (e told) Unwrap() error { return e.is }

func readOut(k messages.Key, q feed.Query) *envelope.Read {
	r := &envelope.Read{
		Tenant: k.Tenant, Dashboard: k.Dashboard, Epoch: uint32(q.Epoch), Since: q.Since, Lists: q.Lists, MustExist: q.MustExist,
	}
	if q.After != nil {
		r.After, r.AfterPartition, r.AfterPosition = true, uint32(q.After.Partition), positionOut(q.After.Position)
	}
	return r
}

func readIn(r *envelope.Read) (messages.Key, feed.Query) {
	q := feed.Query{Epoch: messages.Epoch(r.GetEpoch()), Since: r.GetSince(), Lists: r.GetLists(), MustExist: r.GetMustExist()}
	if r.GetAfter() {
		q.After = &feed.After{Partition: int(r.GetAfterPartition()), Position: positionIn(r.GetAfterPosition())}
	}
	return messages.Key{Tenant: r.GetTenant(), Dashboard: r.GetDashboard()}, q
}

func readingOut(r *feed.Reading) (*envelope.Reading, error) {
	e := &envelope.Reading{
		Tenant: r.Key.Tenant, Dashboard: r.Key.Dashboard,
		Update: &envelope.Update{}, Definition: definitionOut(r.Definition),
	}
	updateOut(e.Update, &envelope.Position{}, &r.Update, &schemaSeen{}, 0)
	var err error
	if e.CountersJson, err = json.Marshal(r.Counters); err != nil {
		return nil, fmt.Errorf("counters of %s: %w", r.Key, err)
	}
	if r.Late != nil {
		if e.LateJson, err = json.Marshal(r.Late); err != nil {
			return nil, fmt.Errorf("late list of %s: %w", r.Key, err)
		}
	}
	if r.Refused != nil {
		if e.RefusedJson, err = json.Marshal(r.Refused); err != nil {
			return nil, fmt.Errorf("refused list of %s: %w", r.Key, err)
		}
	}
	return e, nil
}

func readingIn(e *envelope.Reading) (r feed.Reading, err error) {
	k := messages.Key{Tenant: e.GetTenant(), Dashboard: e.GetDashboard()}
	u, err := updateIn(e.GetUpdate(), k, &schemaSeen{})
	if err != nil {
		return r, err
	}
	r.Update, r.Definition = *u, definitionIn(e.GetDefinition())
	for _, part := range []struct {
		text []byte
		to   any
	}{{e.GetCountersJson(), &r.Counters}, {e.GetLateJson(), &r.Late}, {e.GetRefusedJson(), &r.Refused}} {
		if len(part.text) == 0 {
			continue
		}
		if err := json.Unmarshal(part.text, part.to); err != nil {
			return r, fmt.Errorf("reading of %s: %w", k, err)
		}
	}
	return r, nil
}

func definitionOut(d feed.DefinitionInForce) *envelope.Definition {
	return &envelope.Definition{Canonical: d.Canonical, Hash: d.Hash, Revision: d.Revision, Default: d.Default}
}

func definitionIn(e *envelope.Definition) feed.DefinitionInForce {
	return feed.DefinitionInForce{Canonical: e.GetCanonical(), Hash: e.GetHash(), Revision: e.GetRevision(), Default: e.GetDefault()}
}

func summaryOut(s feed.Summary) *envelope.Summary {
	return &envelope.Summary{
		Tenant: s.Key.Tenant, Dashboard: s.Key.Dashboard, Title: s.Title,
		Epoch: uint32(s.Epoch), Version: s.Version, Time: s.Time, Panels: uint32(s.Panels),
	}
}

func summaryIn(e *envelope.Summary) feed.Summary {
	return feed.Summary{
		Key: messages.Key{Tenant: e.GetTenant(), Dashboard: e.GetDashboard()}, Title: e.GetTitle(),
		Epoch: messages.Epoch(e.GetEpoch()), Version: e.GetVersion(), Time: e.GetTime(), Panels: int(e.GetPanels()),
	}
}
