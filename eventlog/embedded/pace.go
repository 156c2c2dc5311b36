package embedded

import "time"

// While several callers append at the same time, groups begin at least spacing apart: each then
// shares its fsync, and what follows on it, with the calls that come meanwhile. A caller who is
// alone waits for each answer before the next call, and is not kept waiting; a group that is large
// is not either.
const (
	spacing    = 2 * time.Millisecond
	largeBytes = 32 << 10
	company    = 100 * time.Millisecond // how long callers count as several
)

// pace says when groups begin. It is the committer's.
type pace struct {
	began  time.Time // the last group
	shared time.Time // the last group that had several calls
}

// wait is how long a group of so many calls and bytes waits for more.
func (p pace) wait(now time.Time, calls int, bytes int64) time.Duration {
	if calls == 1 && now.Sub(p.shared) >= company || bytes >= largeBytes {
		return 0
	}
	return spacing - now.Sub(p.began)
}

// begin takes note of a group that begins.
func (p *pace) begin(now time.Time, calls int) {
	p.began = now
	if calls > 1 {
		p.shared = now
	}
}
