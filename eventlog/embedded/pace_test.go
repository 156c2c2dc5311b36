package embedded

import (
	"testing"
	"time"
)

// TestPace: groups of several callers begin some time apart; a single caller and a large group do
// not wait.
func TestPace(t *testing.T) {
	start := time.Unix(1_795_422_000, 0)
	for _, c := range []struct {
		name          string
		began, shared time.Duration // before start
		calls         int
		bytes         int64
		want          time.Duration
	}{
		{"alone", time.Microsecond, time.Hour, 1, 100, 0},
		{"two at once", time.Millisecond, time.Hour, 2, 100, spacing - time.Millisecond},
		{"two at once, after a pause", time.Second, time.Hour, 2, 100, 0},
		{"one of several", 0, sharedFor - 1, 1, 100, spacing},
		{"alone again", 0, sharedFor, 1, 100, 0},
		{"large", 0, 0, 20, largeBytes, 0},
		{"almost large", 0, 0, 20, largeBytes - 1, spacing},
	} {
		p := pace{began: start.Add(-c.began), shared: start.Add(-c.shared)}
		if got := max(0, p.wait(start, c.calls, c.bytes)); got != c.want {
			t.Errorf("%s: waits %v, want %v", c.name, got, c.want)
		}
	}
	var p pace
	p.begin(start, 2)
	p.begin(start.Add(time.Millisecond), 1)
	if want := (pace{start.Add(time.Millisecond), start}); p != want {
		t.Errorf("after a group of two and one of one: %+v, want %+v", p, want)
	}
}
