package gateway

import (
	"slices"
	"strings"
)

// tags holds the entity tags of an If-Match or If-None-Match. W/ is ignored, since compressing
// proxies put it before strong tags. Quotes may be missing.
type tags struct {
	any  bool // "*"
	list []string
}

// tagsOf parses a header's values, each of which may be a list.
func tagsOf(values []string) (t tags) {
	rest := strings.Join(values, ",")
	for {
		rest = strings.TrimLeft(rest, ", \t")
		if rest == "" {
			return t
		}
		var tag string
		if quoted, ok := strings.CutPrefix(strings.TrimPrefix(rest, "W/"), `"`); ok {
			tag, rest, _ = strings.Cut(quoted, `"`) // a tag may contain commas
		} else {
			tag, rest, _ = strings.Cut(strings.TrimPrefix(rest, "W/"), ",")
			tag = strings.TrimRight(tag, " \t")
			if tag == "*" {
				t.any = true
				continue
			}
		}
		t.list = append(t.list, tag)
	}
}

// name reports whether the tags include the given one.
func (t tags) name(tag string) bool { return t.any || slices.Contains(t.list, tag) }
