package event

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// line returns the event as one readable line, as the tables below write it.
func line(e *Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s %s", e.Tenant, e.Dashboard, e.Metric)
	fmt.Fprintf(&b, " value=%v(%s) time=%d(%s)", e.Value, statusNames[e.ValueStatus], e.Time, statusNames[e.TimeStatus])
	if e.ID != "" {
		fmt.Fprintf(&b, " id=%q", e.ID)
	}
	for _, l := range e.Labels {
		fmt.Fprintf(&b, " %s=%q", l.Name, l.Value)
	}
	if e.Metadata != nil {
		fmt.Fprintf(&b, " metadata=%s", e.Metadata)
	}
	if e.Producer != "" || e.HasSequence {
		fmt.Fprintf(&b, " producer=%q/%d(%v)", e.Producer, e.Sequence, e.HasSequence)
	}
	return b.String()
}

var statusNames = [...]string{OK: "ok", Missing: "missing", Type: "type", Range: "range"}

func TestDecode(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{
			`{"id":"e-1","tenant":"acme","dashboard":"checkout","metric":"latency","value":12.5,"time":1795422000371,"labels":{"country":"DE"},"metadata":{"unit":"ms"},"producer":"pos-7","sequence":1042}`,
			`acme/checkout latency value=12.5(ok) time=1795422000371(ok) id="e-1" country="DE" metadata={"unit":"ms"} producer="pos-7"/1042(true)`,
		},
		{` { "dashboard" : "d" , "metric" : "m" } ` + "\r\n", `/d m value=0(missing) time=0(missing)`},
		{`{"metric":"m"}`, `/ m value=0(missing) time=0(missing)`},
		// spellings
		{`{"dashboard_id":"d","metric_name":"m","timestamp":5,"dims":{"a":"b"}}`, `/d m value=0(missing) time=5(ok) a="b"`},
		{`{"dashboardId":"d","metricName":"m","ts":5}`, `/d m value=0(missing) time=5(ok)`},
		{`{"Dashboard":"x","dashboard":"d","METRIC":"x","metric":"m","Value":1}`, `/d m value=0(missing) time=0(missing)`},
		{`{"d\u0061shboard":"d","m\u0065tric":"m"}`, `/d m value=0(missing) time=0(missing)`},
		// the last of a repeated key wins, and only that one is judged
		{`{"metric":7,"metric":"m","labels":[],"labels":{"x":"1"},"labels":{"b":null,"a":"1","b":"2","b":"3"}}`, `/ m value=0(missing) time=0(missing) a="1" b="3"`},
		// labels are sorted; numbers and booleans become their text
		{`{"metric":"m","labels":{"z":1.50,"b":true,"a":"","c":false,"_.-0":-0e1}}`, `/ m value=0(missing) time=0(missing) _.-0="-0e1" a="" b="true" c="false" z="1.50"`},
		{`{"metric":"m","labels":null,"metadata":null,"id":null,"producer":null,"sequence":null,"dashboard":null,"tenant":null}`, `/ m value=0(missing) time=0(missing)`},
		// text
		{`{"metric":"a\u00e4\n\ud83d\ude00","dashboard":"d"}`, `bad_name`},
		{`{"metric":"\u00e4ä😀\ud83d\ude00\"\\\/"}`, `/ ää😀😀"\/ value=0(missing) time=0(missing)`},
		{`{"metric":"\ufffd","id":"�"}`, `/ � value=0(missing) time=0(missing) id="�"`},
		{"{\"metric\":\"m\",\"metadata\":\n {\"a\":\t[1,\r\n\"ä\\n\"]}}", `/ m value=0(missing) time=0(missing) metadata={"a": [1,  "ä\n"]}`},
		{`{"metric":"m","metadata":0}`, `/ m value=0(missing) time=0(missing) metadata=0`},
		// id and producer keep their text
		{`{"metric":"m","id":17.0,"producer":3,"sequence":18446744073709551615}`, `/ m value=0(missing) time=0(missing) id="17.0" producer="3"/18446744073709551615(true)`},
		{`{"metric":"m","sequence":-0}`, `/ m value=0(missing) time=0(missing) producer=""/0(true)`},
	} {
		if got := decoded(c.in); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// decoded returns the event's line, or the reason of its refusal.
func decoded(in string) string {
	var d Decoder
	var e Event
	err := d.Decode([]byte(in), &e)
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return line(&e)
}

func TestDecodeRefuses(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	labels := func(n int) string {
		var l []string
		for i := range n {
			l = append(l, fmt.Sprintf(`"l%d":1`, i))
		}
		return `{"metric":"m","labels":{` + strings.Join(l, ",") + `}}`
	}
	nested := func(n int) string {
		return `{"metric":"m","metadata":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	const fine = "fine"
	for _, c := range []struct{ in, reason, message string }{
		{``, ReasonMalformed, "no JSON value"},
		{`{"metric":"m","value":NaN}`, ReasonMalformed, `unexpected 'N' at byte 22`},
		{`{"metric":"m","value":-Infinity}`, ReasonMalformed, `unexpected 'I' at byte 23`},
		{`{"metric":"m","value":01}`, ReasonMalformed, ``},
		{`{"metric":"m",}`, ReasonMalformed, ``},
		{`{"metric":"m"`, ReasonMalformed, `unexpected end after 13 bytes`},
		{"\xff\xfe{\x00", ReasonMalformed, `unexpected byte 0xff at byte 0`},
		{`{"metric":"m"} x`, ReasonMalformed, ``},
		{"{\"metric\":\"a\nb\"}", ReasonMalformed, ``},
		{`{"metric":"\x"}`, ReasonMalformed, ``},
		{`{'metric':"m"}`, ReasonMalformed, ``},
		{"\ufeff{}", ReasonMalformed, ``},
		{`[1,2`, ReasonMalformed, ``},
		{`[]`, ReasonNotAnObject, ``},
		{`7`, ReasonNotAnObject, ``},
		{`"x"`, ReasonNotAnObject, ``},
		{`null`, ReasonNotAnObject, ``},
		{`{}`, ReasonMissingMetric, `"metric" is missing`},
		{`{"metric":null}`, ReasonMissingMetric, ``},
		{`{"metric":""}`, ReasonBadName, ``},
		{`{"metric":5}`, ReasonBadName, `"metric" is a number, it must be a string`},
		{`{"metric":"a\u0000"}`, ReasonBadName, ``},
		{"{\"metric\":\"\u0085\"}", ReasonBadName, ``},
		{"{\"metric\":\"a\x7f\"}", ReasonBadName, ``},
		{`{"metric":"` + long(257) + `"}`, ReasonBadName, ``},
		{`{"metric":"` + long(256) + `"}`, fine, ``},
		{`{"metric":"m","dashboard":"a b"}`, ReasonBadName, `dashboard name "a b" is not allowed`},
		{`{"metric":"m","dashboard":""}`, ReasonBadName, ``},
		{`{"metric":"m","dashboard":7}`, ReasonBadName, ``},
		{`{"metric":"m","dashboard":"` + long(129) + `"}`, ReasonBadName, ``},
		{`{"metric":"m","dashboard":"` + long(128) + `"}`, fine, ``},
		{`{"metric":"m","tenant":"-a"}`, ReasonBadName, `tenant name "-a" is not allowed`},
		{`{"metric":"m","id":true}`, ReasonBadName, ``},
		{`{"metric":"m","id":{}}`, ReasonBadName, ``},
		{`{"metric":"m","producer":[]}`, ReasonBadName, ``},
		{`{"metric":"m","sequence":-1}`, ReasonBadName, ``},
		{`{"metric":"m","sequence":1.5}`, ReasonBadName, ``},
		{`{"metric":"m","sequence":"1"}`, ReasonBadName, ``},
		{`{"metric":"m","sequence":18446744073709551616}`, ReasonBadName, ``},
		{`{"metric":"m","labels":[]}`, ReasonBadLabel, `"labels" is an array`},
		{`{"metric":"m","dims":"x"}`, ReasonBadLabel, `"dims" is a string`},
		{`{"metric":"m","labels":{"a":null}}`, ReasonBadLabel, `label "a" is null`},
		{`{"metric":"m","labels":{"a":{}}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"a":[1]}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"":"x"}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"0a":"x"}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"ä":"x"}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"` + long(65) + `":"x"}}`, ReasonBadLabel, ``},
		{`{"metric":"m","labels":{"` + long(64) + `":"x"}}`, fine, ``},
		{`{"dashboard":"a","dashboard_id":"a","metric":"m"}`, ReasonAmbiguousField, `"dashboard" and "dashboard_id" are both given`},
		{`{"dashboard_id":"a","dashboardId":null,"metric":"m"}`, ReasonAmbiguousField, ``},
		{`{"metric":"m","metricName":"m"}`, ReasonAmbiguousField, ``},
		{`{"metric":"m","time":1,"ts":1}`, ReasonAmbiguousField, ``},
		{`{"metric":"m","labels":{},"dims":{}}`, ReasonAmbiguousField, ``},
		{`{"metric":"m","metric":"n"}`, fine, ``},
		{`{"metric":"m","labels":{"a":"` + long(257) + `"}}`, ReasonTooLarge, `label "a" is 257 bytes, at most 256`},
		{`{"metric":"m","labels":{"a":"` + long(256) + `"}}`, fine, ``},
		{labels(33), ReasonTooLarge, `more than 32 labels`},
		{labels(32), fine, ``},
		{`{"metric":"m","metadata":"` + long(16<<10-1) + `"}`, ReasonTooLarge, `"metadata" is more than 16384 bytes`},
		{`{"metric":"m","metadata":"` + long(16<<10-2) + `"}`, fine, ``},
		{`{"metric":"m","x":"` + long(64<<10) + `"}`, ReasonTooLarge, `at most 65536 bytes`},
		{`{"metric":"m","x":"` + long(64<<10-21) + `"}`, fine, ``},
		{`{"metric":"m","id":"` + long(257) + `"}`, ReasonTooLarge, ``},
		{`{"metric":"m","producer":"` + long(257) + `"}`, ReasonTooLarge, ``},
		{nested(33), ReasonTooLarge, `32 levels`},
		{nested(32), fine, ``},
		{nested(1000), ReasonTooLarge, ``},
		{strings.Repeat("[", 33) + strings.Repeat("]", 33), ReasonTooLarge, ``},
		{`{"metric":"m","labels":{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`, ReasonTooLarge, ``},
	} {
		var d Decoder
		var e Event
		err := d.Decode([]byte(c.in), &e)
		reason, message := fine, ""
		var r *Refusal
		if errors.As(err, &r) {
			reason, message = r.Reason, r.Message
		}
		if reason != c.reason || !strings.Contains(message, c.message) {
			t.Errorf("%.80s\n got %s: %s\nwant %s: %s", c.in, reason, message, c.reason, c.message)
		}
	}
}

func TestDecodeJudgesValuesAndTimes(t *testing.T) {
	for _, c := range []struct {
		value string
		want  float64
		s     Status
	}{
		{`12.5`, 12.5, OK},
		{`-0`, 0, OK},
		{`1e308`, 1e308, OK},
		{`0.1`, 0.1, OK},
		{`123456789012345678`, 123456789012345678, OK},
		{`0.30000000000000004`, 0.30000000000000004, OK},
		{`5e-324`, 5e-324, OK},
		{`1e-400`, 0, OK},
		{`2.5E+3`, 2500, OK},
		{`1e999`, 0, Range},
		{`-1e309`, 0, Range},
		{`null`, 0, Missing},
		{`"1"`, 0, Type},
		{`true`, 0, Type},
		{`{}`, 0, Type},
		{`[1]`, 0, Type},
	} {
		e := decodeFine(t, `{"metric":"m","value":`+c.value+`}`)
		if e.Value != c.want || e.ValueStatus != c.s {
			t.Errorf("value %s: got %v %s, want %v %s", c.value, e.Value, statusNames[e.ValueStatus], c.want, statusNames[c.s])
		}
	}
	for _, c := range []struct {
		time string
		want int64
		s    Status
	}{
		{`0`, 0, OK},
		{`1795422000371`, 1795422000371, OK},
		{`-5`, -5, OK},
		{`-0`, 0, OK},
		{`1e3`, 1000, OK},
		{`5.0`, 5, OK},
		{`1.5e1`, 15, OK},
		{`1200e-2`, 12, OK},
		{`0.00e99999999999`, 0, OK},
		{`0e-9`, 0, OK},
		{`1.50`, 0, Type},
		{`1e-1`, 0, Type},
		{`1e-99999999999`, 0, Type},
		{`8640000000000000`, MaxTime, OK},
		{`-8640000000000000`, -MaxTime, OK},
		{`8640000000000001`, 0, Range},
		{`9223372036854775808`, 0, Range},
		{`1e20`, 0, Range},
		{`99999999999999999999999`, 0, Range},
		{`1e99999999999`, 0, Range},
		{`10000000000000000000000e-20`, 100, OK},
		{`null`, 0, Missing},
		{`true`, 0, Type},
		{`{}`, 0, Type},
		{`""`, 0, Type},
		{`"5"`, 0, Type},
		{`"2026-11-23T18:00:00Z"`, 1795456800000, OK},
		{`"2026-11-23T19:00:00.3719+01:00"`, 1795456800371, OK},
		{`"2026-11-23 18:00:00Z"`, 0, Type},
		{`"1969-12-31T23:59:59.9999Z"`, -1, OK},
		{`"2026-02-29T00:00:00Z"`, 0, Type},
		{`"2024-02-29t00:00:00z"`, 1709164800000, OK},
		{`"2026-11-23T18:00:00"`, 0, Type},
		{`"2026-11-23T24:00:00Z"`, 0, Type},
		{`"2026-11-23T18:00:00.Z"`, 0, Type},
		{`"\u0032026-11-23T18:00:00Z"`, 1795456800000, OK},
	} {
		e := decodeFine(t, `{"metric":"m","time":`+c.time+`}`)
		if e.Time != c.want || e.TimeStatus != c.s {
			t.Errorf("time %s: got %d %s, want %d %s", c.time, e.Time, statusNames[e.TimeStatus], c.want, statusNames[c.s])
		}
	}
}

func decodeFine(t *testing.T, in string) *Event {
	t.Helper()
	var d Decoder
	e := new(Event)
	if err := d.Decode([]byte(in), e); err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return e
}

func TestDecoderIsReusable(t *testing.T) {
	var d Decoder
	var e Event
	if err := d.Decode([]byte(`{"id":"1","metric":"a","value":1,"time":5,"labels":{"x":"y"},"metadata":{},"sequence":4}`), &e); err != nil {
		t.Fatal(err)
	}
	if err := d.Decode([]byte(`{"metric":"b"}`), &e); err != nil {
		t.Fatal(err)
	}
	if got, want := line(&e), "/ b value=0(missing) time=0(missing)"; got != want {
		t.Errorf("the previous event shows through: got %s, want %s", got, want)
	}
}

func TestDecoderGuessesNoField(t *testing.T) {
	inputs := []string{
		`{"metric": "a", "value": 1, "time": 2}`, `{"metric": "a", "value": 1, "time": 2}`, `{"metric" :"b","time":3,"value":4}`, `{"value":4,"metric":"c"}`,
		`{}`, `{"metric"`, `{"metric":`, `{"metric":"d","value"}`, `{"metric":"d","x":1,"value":5}`, `{"metric":"d","x":1,"value":5}`, `{"metric":"e","\u0078":1,"v\u0061lue":5}`,
		`{"metric_name":"f","value":1}`, `{"metric":"f","value":1}`, `{"metric":"m"` + strings.Repeat(`,"y":0`, 40) + `,"value":7}`,
	}
	var d Decoder
	for _, in := range inputs {
		var e Event
		got := ""
		if err := d.Decode([]byte(in), &e); err == nil {
			got = line(&e)
		} else {
			got = err.(*Refusal).Reason
		}
		if want := decoded(in); got != want {
			t.Errorf("%s after others\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestParseFloatIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		s := strconv.FormatUint(r.Uint64N(1_000_000_000_000_000_000), 10)
		s = s[:1+r.IntN(len(s))]
		if cut := r.IntN(len(s) + 1); cut > 0 && cut < len(s) {
			s = s[:cut] + "." + s[cut:]
		}
		if r.IntN(4) == 0 {
			s += "e" + strconv.Itoa(r.IntN(700)-350)
		}
		if len(s) > 1 && s[0] == '0' && s[1] != '.' {
			continue
		}
		got, status := parseFloat([]byte(s))
		want, err := strconv.ParseFloat(s, 64)
		if (status == OK) != (err == nil) || status == OK && got != want {
			t.Fatalf("%s: got %v %s, want %v %v", s, got, statusNames[status], want, err)
		}
	}
}

// sample is an event of 204 bytes; the fold's figures are measured with it.
const sample = `{"id":"e-10001","tenant":"acme","dashboard":"checkout","metric":"latency","value":12.5,"time":1795422000371,` +
	`"labels":{"country":"DE","route":"/pay"},"metadata":{"unit":"ms"},"producer":"p7","sequence":42}`

func TestDecodeDoesNotAllocate(t *testing.T) {
	var d Decoder
	var e Event
	for _, payload := range []string{sample, `{"metric":"ä\"","id":"\u0041"}`, `{"metric":"ä","time":"2026-11-23T19:00:00+01:00"}`} {
		b := []byte(payload)
		if n := testing.AllocsPerRun(100, func() { _ = d.Decode(b, &e) }); n != 0 {
			t.Errorf("%v allocations for %s", n, payload)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	var d Decoder
	for _, e := range []Event{
		{Metric: "m", ValueStatus: Missing, TimeStatus: Missing},
		{Metric: "m", ValueStatus: Type, TimeStatus: Type},
		{Metric: "m", ValueStatus: Range, TimeStatus: Range},
		{
			ID: "e\"\\\t", Tenant: "t", Dashboard: "d", Metric: "ä😀", Value: 0.1, Time: -5, Labels: []Label{{"a", "\u2028<\n>"}, {"b", ""}},
			Metadata: []byte(`{"x":[1]}`), Producer: "p", Sequence: math.MaxUint64, HasSequence: true,
		},
		{Metric: "m", Value: 1 << 52, Time: MaxTime, TimeHint: InMicroseconds},
		{Metric: "m", Value: 1e300},
		{Metric: "m", Value: -5e-324},
	} {
		b := AppendJSON(nil, &e)
		var got Event
		if err := d.Decode(b, &got); err != nil {
			t.Errorf("%s: %v", b, err)
		}
		if e.Labels == nil {
			got.Labels = nil
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s\n got %s\nwant %s", b, line(&got), line(&e))
		}
	}
	for _, c := range []struct {
		f    float64
		want string
	}{{1e15, "1000000000000000"}, {-3, "-3"}, {0.1, "0.1"}, {1e21, "1e+21"}, {math.NaN(), "1e999"}, {math.Inf(-1), "-1e999"}, {1e-7, "1e-07"}} {
		if got := string(AppendNumber(nil, c.f)); got != c.want {
			t.Errorf("AppendNumber(%v): got %s, want %s", c.f, got, c.want)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var d Decoder
	var e Event
	payload := []byte(sample)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Decode(payload, &e); err != nil {
			b.Fatal(err)
		}
	}
}
