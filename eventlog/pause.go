package eventlog

import (
	"context"
	"time"
)

// Pause waits before something is tried again; false where ctx has ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
