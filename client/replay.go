package client

import (
	"context"
	"fmt"
	"time"
)

// aheadAllowed is how far an event may be ahead of the clock under a definition's default
// max_future.
const aheadAllowed = time.Minute

// Replay paces events by their own times: speed times as fast as they happened.
type Replay struct {
	speed  float64
	began  time.Time
	origin time.Time
}

// NewReplay returns a Replay that paces from the first event on; at speed 0 it never waits.
func NewReplay(speed float64) *Replay { return &Replay{speed: speed} }

// OvertakesError says that a replay faster than time has caught up with the clock: a dashboard
// would refuse the next events as future ones.
type OvertakesError struct {
	Speed float64
	Event time.Time
}

func (e *OvertakesError) Error() string {
	return fmt.Sprintf("at %g times the speed the replay overtakes the clock at the event of %s, and a dashboard refuses events from the future: "+
		"use speed 1 for live events, speed 0 for past ones, or older events", e.Speed, e.Event.UTC().Format(time.RFC3339))
}

// Wait returns when the event of time t is due.
func (r *Replay) Wait(ctx context.Context, t time.Time) error {
	if r.speed <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	if r.began.IsZero() {
		r.began, r.origin = now, t
	}
	if r.speed > 1 && t.Sub(now) > aheadAllowed {
		return &OvertakesError{r.speed, t}
	}
	due := r.began.Add(time.Duration(float64(t.Sub(r.origin)) / r.speed))
	return pause(ctx, time.Until(due))
}

// Check returns an error if events from first to last, replayed now, would overtake the clock.
func (r *Replay) Check(first, last time.Time) error {
	if r.speed <= 1 {
		return nil
	}
	took := time.Duration(float64(last.Sub(first)) / r.speed)
	if last.Sub(time.Now().Add(took)) > aheadAllowed {
		return &OvertakesError{r.speed, last}
	}
	return nil
}
