package csv

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/messages/event"
)

// Options says how to read a file. The zero value is ready to use.
type Options struct {
	File    string // the file's name in errors; "": input
	Comma   rune   // separator of columns; 0: a comma
	Decimal rune   // decimal mark of values: '.' or ','; 0: a point
	// "ms", "s", "rfc3339" or a layout of Go's package time; "": ms for a whole number, else
	// rfc3339
	TimeFormat string
	// zone of times that name none; nil: UTC for layouts, and RFC 3339 times must name one
	Zone *time.Location
	Null []string // texts of a column that mean no value
}

// ParseTime reads a time as the options say, in ms UTC.
func (o Options) ParseTime(text string) (int64, error) {
	switch o.TimeFormat {
	case "":
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			return inRange(ms, text)
		}
		return o.rfc3339(text, "ms since 1970 or RFC 3339")
	case "ms":
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("time %q is not a whole number of ms since 1970", text)
		}
		return inRange(ms, text)
	case "s":
		s, err := decimal(text)
		if err != nil {
			return 0, fmt.Errorf("time %q is not a number of seconds since 1970", text)
		}
		if math.Abs(s) > event.MaxTime/1000 {
			return inRange(math.MaxInt64, text)
		}
		return int64(math.Floor(s*1000 + 1e-6)), nil // 1.001 s is 1000.9999999999999 ms
	case "rfc3339":
		return o.rfc3339(text, "RFC 3339, such as 2026-11-23T18:00:00Z")
	}
	t, err := time.ParseInLocation(o.TimeFormat, text, orUTC(o.Zone))
	if err != nil {
		return 0, fmt.Errorf("time %q is not of the layout %q", text, o.TimeFormat)
	}
	return inRange(t.UnixMilli(), text)
}

// zoneless lists the layouts of RFC 3339 without a zone.
var zoneless = []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05"}

func (o Options) rfc3339(text, allowed string) (int64, error) {
	ms, status := event.ParseTime(text)
	if status == event.OK {
		return ms, nil
	}
	for _, layout := range zoneless {
		t, err := time.ParseInLocation(layout, text, orUTC(o.Zone))
		switch {
		case err != nil:
		case o.Zone == nil:
			return 0, fmt.Errorf("time %.60q names no zone: --time-zone sets one", text)
		default:
			return inRange(t.UnixMilli(), text)
		}
	}
	return 0, fmt.Errorf("time %.60q is not %s: --time-format sets another format", text, allowed)
}

func orUTC(zone *time.Location) *time.Location {
	if zone == nil {
		return time.UTC
	}
	return zone
}

func inRange(ms int64, text string) (int64, error) {
	if ms > event.MaxTime || ms < -event.MaxTime {
		return 0, fmt.Errorf("time %q is out of range: at most %d ms from 1970", text, int64(event.MaxTime))
	}
	return ms, nil
}

// decimal reads a finite decimal number: no hexadecimal, no words.
func decimal(text string) (float64, error) {
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E':
		default:
			return 0, fmt.Errorf("%q is not a number", text)
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a finite number", text)
	}
	return f, nil
}

// number reads a value. If the decimal mark is a comma, points may group digits: 1.013,25.
func (o Options) number(text string) (float64, error) {
	if o.Decimal != ',' {
		f, err := decimal(text)
		if err != nil && strings.Contains(text, ",") {
			err = fmt.Errorf("%w; --decimal , reads 12,5", err)
		}
		return f, err
	}
	if !commaNumber.MatchString(text) {
		return 0, fmt.Errorf("%q is not a number with a decimal comma, such as 1.013,25", text)
	}
	return decimal(strings.ReplaceAll(strings.ReplaceAll(text, ".", ""), ",", "."))
}

// commaNumber allows points only between groups of three digits.
var commaNumber = regexp.MustCompile(`^[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]*)(,[0-9]*)?([eE][+-]?[0-9]+)?$`)

func (o Options) isNull(text string) bool {
	for _, n := range o.Null {
		if n == text {
			return true
		}
	}
	return false
}
