package pulsar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/dashfeed/dashfeed/eventlog"
)

// The control topic names the ids of all keys that sign a tenant's records, each before its key's
// first use. So a record with a key id that is not there was signed by nobody, and every process
// that has read the control topic up to then agrees. If the id is there but a process lacks the
// key, that process can't judge the record.

var (
	errNoKey   = errors.New("no cluster key is given: definitions, ticks and forwarded records can't be signed")
	errKeyLess = errors.New("a record is signed with a cluster key that this process has not got")
)

// announcedKeys holds the key ids that the control topic names for a tenant. Any number of
// goroutines may read it.
type announcedKeys struct {
	ids atomic.Pointer[[]keyID]
}

func (a *announcedKeys) has(id keyID) bool {
	ids := a.ids.Load()
	return ids != nil && slices.Contains(*ids, id)
}

// add adds key ids. Only the learner calls it.
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

// announceKey makes sure that the tenant's control records name the key that this process signs
// with.
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

// catchUpControl returns when the log has learnt all that the control topic held at the call.
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
		return nil //nolint:nilerr // the topic has no record
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
