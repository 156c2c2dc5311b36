package definition

import (
	"strconv"
	"strings"
	"time"
)

// everyText says how often something begins: "every minute", "every 90 s".
func everyText(d time.Duration) string {
	for _, u := range units {
		if d == u.length {
			return "every " + u.word
		}
	}
	return "every " + spanText(d)
}

// spanText says a length in up to two units that are next to each other: "30 min", "1 h 30 min".
// What does not fit into two is said in the smallest unit that it needs: "3601 s".
func spanText(d time.Duration) string {
	for i, u := range units {
		n, rest := d/u.length, d%u.length
		if n == 0 {
			continue
		}
		text := strconv.FormatInt(int64(n), 10) + " " + u.short
		if rest == 0 {
			return text
		}
		if i+1 < len(units) && rest%units[i+1].length == 0 {
			return text + " " + strconv.FormatInt(int64(rest/units[i+1].length), 10) + " " + units[i+1].short
		}
		break
	}
	for _, u := range units {
		if d%u.length == 0 {
			return strconv.FormatInt(int64(d/u.length), 10) + " " + u.short
		}
	}
	return d.String() // unreachable for whole ms
}

// units are the units of lengths, longest first.
var units = []struct {
	length      time.Duration
	short, word string
}{
	{24 * time.Hour, "d", "day"},
	{time.Hour, "h", "hour"},
	{time.Minute, "min", "minute"},
	{time.Second, "s", "second"},
	{time.Millisecond, "ms", "millisecond"},
}

// countText says a number of things: "1 event", "100 events".
func countText(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// keepOfKinds lists what keep counts for kinds for which it does not count windows of the panel.
func keepOfKinds() string {
	var list []string
	for _, k := range kinds {
		if k.keep != "" {
			list = append(list, string(k.name)+": "+k.keep)
		}
	}
	return strings.Join(list, "; ")
}

// kindsAlone lists the kinds whose groups have windows of their own.
func kindsAlone() string {
	var list []string
	for _, k := range kinds {
		if k.alone {
			list = append(list, string(k.name))
		}
	}
	return strings.Join(list, ", ")
}
