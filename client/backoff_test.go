package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestBackoffCeilings: the jitter is full, so a wait lies anywhere below its ceiling, and over many
// draws near both ends.
func TestBackoffCeilings(t *testing.T) {
	ceilings := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	for attempt, ceiling := range ceilings {
		var least, most time.Duration = ceiling, 0
		for range 2000 {
			b := backoff{attempts: attempt}
			d := b.next(0)
			least, most = min(least, d), max(most, d)
			if b.attempts != attempt+1 {
				t.Fatalf("attempt %d was not counted: %d", attempt, b.attempts)
			}
		}
		if most >= ceiling || most < ceiling*9/10 || least > ceiling/10 {
			t.Errorf("attempt %d: waits from %v to %v, want all below %v and spread over it", attempt, least, most, ceiling)
		}
	}
	b := backoff{attempts: 1 << 20}
	if d := b.next(0); d >= maxBackoff {
		t.Errorf("after a million attempts: %v", d)
	}
	if d := b.next(time.Hour); d != time.Hour {
		t.Errorf("the server asked for an hour, got %v", d)
	}
}

func TestPauseEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := pause(ctx, time.Hour); err != context.DeadlineExceeded || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestReplayPaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := time.Now().Add(-365 * 24 * time.Hour)
		r := NewReplay(300)
		began := time.Now()
		for _, after := range []time.Duration{0, 5 * time.Minute, 5 * time.Minute, time.Hour, 30 * time.Minute} {
			if err := r.Wait(t.Context(), first.Add(after)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 12*time.Second {
			t.Errorf("an hour at 300 times the speed took %v, want 12s", took)
		}
	})
}

func TestReplayOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, c := range []struct {
			name        string
			speed       float64
			first, last time.Time
			refused     bool
		}{
			{"the past, fast", 300, now.Add(-48 * time.Hour), now.Add(-24 * time.Hour), false},
			{"up to now, fast", 2, now.Add(-time.Hour), now, false},
			{"into the future, fast", 300, now.Add(-time.Hour), now.Add(time.Hour), true},
			{"into the future, at its own pace", 1, now.Add(-time.Hour), now.Add(time.Hour), false},
		} {
			r := NewReplay(c.speed)
			if err := r.Check(c.first, c.last); (err != nil) != c.refused {
				t.Errorf("%s: Check: %v", c.name, err)
			}
			err := r.Wait(t.Context(), c.first)
			if err == nil && c.refused {
				err = r.Wait(t.Context(), c.last)
			}
			if (err != nil) != c.refused {
				t.Errorf("%s: Wait: %v", c.name, err)
			}
		}
	})
}
