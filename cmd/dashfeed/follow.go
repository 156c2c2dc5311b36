package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
)

// countEvery is how often the counters of a watched dashboard are read while it changes.
const countEvery = time.Second

// follow calls event with what a subscription brings, and counters with the dashboard's counters
// after changes, one call at a time, until ctx ends or the server says that there is nothing to
// see. Counters do not travel with updates, so follow reads them.
func follow(ctx context.Context, server *client.Client, o client.SubscribeOptions, event func(*client.Subscription, client.SubscriptionEvent) error, counters func(messages.Counters) error) error {
	s := server.Subscribe(o)
	defer s.Close()
	var counting sync.WaitGroup
	defer counting.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var turn sync.Mutex
	moved := make(chan struct{}, 1)
	counting.Go(func() {
		for {
			select {
			case <-moved:
			case <-ctx.Done():
				return
			}
			if c, ok := readCounters(ctx, server, o.Dashboard); ok {
				turn.Lock()
				err := counters(c)
				turn.Unlock()
				if err != nil {
					cancel(err)
					return
				}
			}
			select {
			case <-time.After(countEvery):
			case <-ctx.Done():
				return
			}
		}
	})
	for {
		e, err := s.Next(ctx)
		if err != nil {
			if cause := context.Cause(ctx); ctx.Err() != nil && cause != nil {
				return cause
			}
			return err
		}
		turn.Lock()
		err = event(s, e)
		turn.Unlock()
		if err != nil {
			return err
		}
		select {
		case moved <- struct{}{}:
		default:
		}
	}
}

// readCounters reads a dashboard's counters; ok is false if they can't be read now.
func readCounters(ctx context.Context, server *client.Client, dashboard string) (c messages.Counters, ok bool) {
	r, err := server.Read(ctx, dashboard, client.ReadOptions{Bare: true})
	return c, err == nil && json.Unmarshal(r.Counters, &c) == nil
}

// countersLine returns what became of a dashboard's records, in one line.
func countersLine(c messages.Counters) string {
	var late uint64
	for _, p := range c.Panels {
		late = max(late, p.LateDropped)
	}
	invalid := fmt.Sprintf("%d invalid", c.Invalid)
	if c.Invalid > 0 {
		invalid += " (" + byName(c.InvalidReasons, "") + ")"
	}
	return fmt.Sprintf("%d records: %d accepted, %s, %d late, %d future, %d duplicates", c.Records, c.Accepted, invalid, late, c.Future, c.Duplicates)
}

// waitingNote is shown for a dashboard that has no record.
const waitingNote = "no event yet: waiting"

// hasNoRecord reports whether an event is the first snapshot of a dashboard that has no record.
func hasNoRecord(s *client.Subscription, e client.SubscriptionEvent) bool {
	_, ok := e.(*client.Snapshot)
	return ok && s.View().Place().Version == 0
}
