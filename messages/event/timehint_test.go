package event

import "testing"

func TestTimeHint(t *testing.T) {
	for _, c := range []struct {
		time string
		want TimeHint
		s    Status
	}{
		{`1795422000371`, NoHint, OK},
		{`100000000000`, NoHint, OK}, // 1973 in ms
		{`0`, NoHint, OK},
		{`-1795422000`, NoHint, OK},
		{`99999999`, NoHint, OK},
		{`1795422000`, InSeconds, OK},
		{`100000000`, InSeconds, OK},
		{`9999999999`, InSeconds, OK},
		{`10000000000`, NoHint, OK},
		{`1795422000.371`, InSeconds, Type}, // as Python's time.time() returns it
		{`1.795422e9`, InSeconds, OK},
		{`1795422000371.5`, NoHint, Type},
		{`99999999999999`, NoHint, OK},
		{`100000000000000`, InMicroseconds, OK},
		{`1795422000371000`, InMicroseconds, OK},
		{`8640000000000001`, InMicroseconds, Range},
		{`10000000000000000`, NoHint, Range},
		{`1795422000371000000`, InNanoseconds, Range},
		{`9999999999999990000`, InNanoseconds, Range},
		{`10000000000000000000`, NoHint, Range},
		{`1e999`, NoHint, Range},
		{`"2026-11-28T16:22:28"`, WithoutZone, Type},
		{`"2026-11-28t16:22:28.123456"`, WithoutZone, Type},
		{`"2026-11-28 16:22:28.123456789"`, WithoutZone, Type},
		{`"2026-11-28T16:22:28.1234567890"`, NoHint, Type},
		{`"2026-11-28T16:22:28Z"`, NoHint, OK},
		{`"1970-02-01T00:00:00Z"`, NoHint, OK}, // who writes this means 1970
		{`"2026-11-28 16:22:28Z"`, NoHint, Type},
		{`"2026-11-28T16:22:61"`, NoHint, Type},
		{`"yesterday at about 4"`, NoHint, Type},
		{`""`, NoHint, Type},
		{`true`, NoHint, Type},
		{`null`, NoHint, Missing},
	} {
		e := decodeFine(t, `{"metric":"m","time":`+c.time+`}`)
		if e.TimeHint != c.want || e.TimeStatus != c.s {
			t.Errorf("time %s: got %q (%s), want %q (%s)", c.time, e.TimeHint, statusNames[e.TimeStatus], c.want, statusNames[c.s])
		}
	}
	for h := NoHint; h.Valid(); h++ {
		if (h.String() == "") != (h == NoHint) || (h.Message() == "") != (h == NoHint) {
			t.Errorf("hint %d is %q: %q", h, h, h.Message())
		}
	}
	if got := LikelyUnit(1_795_422_000); got != InSeconds {
		t.Errorf("LikelyUnit: got %q", got)
	}
}
