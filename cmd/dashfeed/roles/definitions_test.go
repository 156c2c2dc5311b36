package roles

import (
	"testing"
)

// If the result of a try could not be stored, the next try continues with it, unless another
// process has changed what is stored.
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
