package roles

import (
	"testing"
)

// A try goes on from the one before where that could not be kept, and from what is kept where
// somebody else has changed it.
func TestAttempt(t *testing.T) {
	for _, c := range []struct {
		last attempt
		kept string
		want string
	}{
		{attempt{}, "", ""},
		{attempt{}, "a", "a"},
		{attempt{nil, []byte("b")}, "", "b"},
		{attempt{[]byte("a"), []byte("b")}, "a", "b"},
		{attempt{[]byte("a"), []byte("b")}, "b", "b"},
		{attempt{[]byte("a"), []byte("b")}, "other", "other"},
	} {
		if got := string(c.last.over([]byte(c.kept))); got != c.want {
			t.Errorf("%q after %q became %q: the next try goes on from %q, want %q", c.kept, c.last.before, c.last.after, got, c.want)
		}
	}
}
