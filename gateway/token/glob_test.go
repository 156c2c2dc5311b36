package token

import "testing"

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		globs Globs
		name  string
		want  bool
	}{
		{nil, "sales", false},
		{Globs{"*"}, "sales", true},
		{Globs{"sales"}, "sales", true},
		{Globs{"sales"}, "sales-2", false},
		{Globs{"sales-*"}, "sales-", true},
		{Globs{"*-eu-*"}, "sales-eu-eu-1", true},
		{Globs{"*-eu"}, "sales-eu-1", false},
		{Globs{"s?les"}, "sales", true},
		{Globs{"s?les"}, "sles", false},
		{Globs{"a", "b*"}, "bc", true},
		{Globs{""}, "sales", false},
		{Globs{"[a-z]*"}, "sales", false},
	} {
		if got := c.globs.Match(c.name); got != c.want {
			t.Errorf("%q.Match(%q) = %v, want %v", c.globs, c.name, got, c.want)
		}
	}
}
