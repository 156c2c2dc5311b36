package embedded

import "time"

// Bounds of pace. While several callers append at the same time, groups begin at least spacing
// apart, so that more calls share each fsync and the work after it. A single caller waits for each
// answer before its next call and is not delayed; neither is a group of largeBytes or more.
const (
	spacing    = 2 * time.Millisecond
	largeBytes = 32 << 10
	sharedFor  = 100 * time.Millisecond // how long after a shared group callers count as several
)

// pace decides when groups begin. Only the committer uses it.
type pace struct {
	began  time.Time // when the last group began
	shared time.Time // when the last group with several calls began
}

// wait returns how long a group with that many calls and bytes waits for more; 0 or less: not at
// all.
func (p pace) wait(now time.Time, calls int, bytes int64) time.Duration {
	if calls == 1 && now.Sub(p.shared) >= sharedFor || bytes >= largeBytes {
		return 0
	}
	return spacing - now.Sub(p.began)
}

// begin records that a group begins.
func (p *pace) begin(now time.Time, calls int) {
	p.began = now
	if calls > 1 {
		p.shared = now
	}
}
