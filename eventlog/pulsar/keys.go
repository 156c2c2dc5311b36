package pulsar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/dashfeed/dashfeed/eventlog"
)

// The ids of all keys that a tenant's records are signed with stand in the control topic, each
// before its key's first use. So a record whose key id does not stand there was signed by nobody,
// and every process that has read the control topic up to then says so; one whose id stands there,
// but whose key a process has not got, can't be judged by it.

var (
	errNoKey   = errors.New("no cluster key is given: definitions, ticks and forwarded records can't be signed")
	errKeyLess = errors.New("a record is signed with a cluster key that this process has not got")
)

// announcedKeys are the ids that the control topic names for a tenant. It is read by any number of
// goroutines.
type announcedKeys struct {
	ids atomic.Pointer[[]keyID]
}

func (a *announcedKeys) has(id keyID) bool {
	ids := a.ids.Load()
	return ids != nil && slices.Contains(*ids, id)
}

// add is the learner's.
func (a *announcedKeys) add(texts []string) error {
	var ids []keyID
	if have := a.ids.Load(); have != nil {
		ids = slices.Clone(*have)
	}
	for _, text := range texts {
		id, err := parseKeyID(text)
		switch {
		case err != nil:
			return err
		case slices.Contains(ids, id):
		case len(ids) == maxKeys:
			return fmt.Errorf("more than %d key ids of one tenant are not allowed", maxKeys)
		default:
			ids = append(ids, id)
		}
	}
	a.ids.Store(&ids)
	return nil
}

// announceKey returns when the id of the key that this process signs with stands in the tenant's
// control record.
func (l *Log) announceKey(ctx context.Context, x *tenant) error {
	if len(x.keys) == 0 {
		return errNoKey
	}
	id := x.keys[0].id
	if x.announced.has(id) {
		return nil
	}
	select {
	case l.announcing <- struct{}{}:
		defer func() { <-l.announcing }()
	case <-ctx.Done():
		return cause(ctx)
	}
	sent := false
	for {
		learnt := l.control.news.wait()
		if x.announced.has(id) {
			return nil
		}
		if !sent {
			if err := l.announce(ctx, controlRecord{Version: controlVersion, Tenant: x.Name, Keys: []string{id.String()}}); err != nil {
				return fmt.Errorf("announce the cluster key %s of tenant %s: %w", id, x.Name, err)
			}
			sent = true
		}
		if err := l.awaitControl(ctx, learnt); err != nil {
			return fmt.Errorf("announce the cluster key %s of tenant %s: %w", id, x.Name, err)
		}
	}
}

// catchUpControl returns when everything is learnt that the control topic held when it was called.
func (l *Log) catchUpControl(ctx context.Context) error {
	r := l.control.reader.Load()
	if r == nil {
		return fmt.Errorf("%w: the control topic is being opened", eventlog.ErrUnreachable)
	}
	last, err := question(l, (*r).GetLastMessageID)
	if err != nil {
		return l.explain("read the control topic "+controlTopic, err)
	}
	end, err := placeOf(last)
	if err != nil {
		return nil //nolint:nilerr // it has no record
	}
	for {
		learnt := l.control.news.wait()
		if at := l.control.last.Load(); at != nil && at.compare(end) >= 0 {
			return nil
		}
		if err := l.awaitControl(ctx, learnt); err != nil {
			return err
		}
	}
}

// awaitControl waits for one more control record.
func (l *Log) awaitControl(ctx context.Context, learnt <-chan struct{}) error {
	if failed := l.control.failed.Load(); failed != nil {
		return *failed
	}
	select {
	case <-learnt:
		return nil
	case <-ctx.Done():
		return cause(ctx)
	case <-l.life.Done():
		return eventlog.ErrClosed
	}
}
