package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var seeds = []string{
	sample, ``, `{}`, `[]`, `{"metric":"m"}`, `{"metric":"m","value":1e999}`, `{"metric":"m","value":NaN}`, `{"metric":"\ud83d\ude00\ud800"}`,
	`{"metric":"\ud83d\ude00\ud83d\ude00\\ud800"}`, `{"metric":"m","labels":{"a":"\udc00\ud800"}}`, `{"metric":"m","x":["\uD800\\udc00"]}`,
	"{\"metric\":\"m\",\"labels\":{\"a\":[\"\xed\xa0\x80\"],\"a\":1}}", "{\"metric\":\"m\",\"\xc3\":{\"metadata\":\"\xc0\x80\"}}",
	"{\"metric\":\"\xff\"}", `{"metric":"m","labels":{"b":1,"a":true,"b":"x"}}`, `{"metric":"m","metric":"n"}`, `{"metric":"m","metadata":[[[[{"a":null}]]]]}`,
	`{"metric":"m","time":"2026-11-23T19:00:00.5+01:00"}`, `{"metric":"m","ts":1.50e1,"value":-0.0}`, `{"m\u0065tric":"\"\\\/\b\f\n\r\t"}`,
	`{"metric":"m","id":12,"producer":"p","sequence":18446744073709551615}`, "[{\"metric\":\n\"m\"}, 01]", `{"metric":"m"} {"metric":"m"}`,
	"{\"metric\":\"a\u2028\",\"dims\":{\"a\":\"\\u0000\"}}", strings.Repeat("[", 40) + strings.Repeat("]", 40),
}

// FuzzDecode compares the scanner with encoding/json: both accept the same texts as JSON and find
// the same fields.
func FuzzDecode(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, in []byte) {
		var e Event
		err := d.Decode(in, &e)
		var r *Refusal
		if err != nil && !errors.As(err, &r) {
			t.Fatalf("not a *Refusal: %v", err)
		}
		if r != nil && r.Reason == ReasonTooLarge {
			return
		}
		fine := json.Valid(in) && isText(in)
		if malformed := r != nil && r.Reason == ReasonMalformed; malformed == fine {
			t.Fatalf("%q: malformed %v, json.Valid %v, text %v", in, malformed, json.Valid(in), isText(in))
		}
		if r != nil {
			return
		}
		want := decodeSlowly(t, in)
		if e.Labels == nil {
			e.Labels = []Label{}
		}
		if !bytes.Equal(e.Metadata, want.Metadata) && !sameJSON(e.Metadata, want.Metadata) {
			t.Fatalf("%q: metadata %q, want %q", in, e.Metadata, want.Metadata)
		}
		if !utf8.Valid(e.Metadata) || bytes.ContainsAny(e.Metadata, "\r\n") {
			t.Fatalf("%q: metadata %q is not one line of UTF-8", in, e.Metadata)
		}
		e.Metadata, want.Metadata, e.TimeHint = nil, nil, NoHint // TestTimeHint tests the hints
		if !reflect.DeepEqual(e, want) {
			t.Fatalf("%q:\n got %s\nwant %s", in, line(&e), line(&want))
		}
	})
}

// isText reports whether a JSON text is all Unicode. encoding/json does not tell: it replaces what
// is wrong.
func isText(in []byte) bool {
	if !utf8.Valid(in) {
		return false
	}
	escapes := escape.FindAllIndex(in, -1)
	surrogate := func(i int, kind string) bool {
		text := in[escapes[i][0]:escapes[i][1]]
		return len(text) == 6 && strings.ContainsRune("dD", rune(text[2])) && strings.ContainsRune(kind, rune(text[3]))
	}
	for i := 0; i < len(escapes); i++ {
		pair := i+1 < len(escapes) && escapes[i][1] == escapes[i+1][0] && surrogate(i, "89abAB") && surrogate(i+1, "cdefCDEF")
		if pair {
			i++
		} else if surrogate(i, "89abcdefABCDEF") {
			return false
		}
	}
	return true
}

var escape = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)

// sameJSON compares the values of two texts.
func sameJSON(a, b []byte) bool {
	read := func(text []byte) (v any, ok bool) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber() // 1e999 is JSON
		err := d.Decode(&v)
		return v, err == nil
	}
	x, okX := read(a)
	y, okY := read(b)
	return okX && okY && reflect.DeepEqual(x, y)
}

// decodeSlowly decodes an accepted event with encoding/json alone.
func decodeSlowly(t *testing.T, in []byte) Event {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(in, &fields); err != nil {
		t.Fatal(err)
	}
	get := func(names ...string) json.RawMessage {
		for _, n := range names {
			if raw, ok := fields[n]; ok && string(raw) != "null" {
				return raw
			}
		}
		return nil
	}
	text := func(raw json.RawMessage) string {
		if raw == nil || raw[0] != '"' {
			return string(raw)
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	e := Event{
		ID: text(get("id")), Tenant: text(get("tenant")), Dashboard: text(get("dashboard", "dashboard_id", "dashboardId")),
		Metric: text(get("metric", "metric_name", "metricName")), Producer: text(get("producer")), Metadata: get("metadata"), Labels: []Label{},
	}
	if raw := get("sequence"); raw != nil {
		_, e.Sequence, _ = parseWhole(raw) // FuzzParseWhole compares it with big numbers
		e.HasSequence = true
	}
	var labels map[string]json.RawMessage
	if raw := get("labels", "dims"); raw != nil {
		if err := json.Unmarshal(raw, &labels); err != nil {
			t.Fatal(err)
		}
	}
	for name, raw := range labels {
		e.Labels = append(e.Labels, Label{name, text(raw)})
	}
	slices.SortFunc(e.Labels, func(a, b Label) int { return strings.Compare(a.Name, b.Name) })

	switch raw := get("value"); {
	case raw == nil:
		e.ValueStatus = Missing
	case !numeric(raw[0]):
		e.ValueStatus = Type
	default:
		if json.Unmarshal(raw, &e.Value) != nil {
			e.Value, e.ValueStatus = 0, Range
		}
	}
	switch raw := get("time", "timestamp", "ts"); {
	case raw == nil:
		e.TimeStatus = Missing
	case raw[0] == '"':
		var ok bool
		if e.Time, ok = timeSlowly(text(raw)); !ok {
			e.TimeStatus = Type
		}
	case numeric(raw[0]):
		negative, n, s := parseWhole(raw)
		e.Time, e.TimeStatus = signedTime(negative, n, s)
	default:
		e.TimeStatus = Type
	}
	return e
}

// FuzzParseWhole compares whole numbers with big ones.
func FuzzParseWhole(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e3", "5.0", "1.5", "18446744073709551615", "18446744073709551616", "1e20", "100e-2", "0e-99", "0.001e3", "1e-400", "12.300E+1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if end := scanNumber([]byte(s), 0); end != len(s) {
			return
		}
		negative, n, status := parseWhole([]byte(s))
		wantNegative, want, wantStatus, small := wholeSlowly(s)
		if small && (n != want || status != wantStatus || status == OK && negative != wantNegative) {
			t.Fatalf("%s: got %v %d %s, want %v %d %s", s, negative, n, statusNames[status], wantNegative, want, statusNames[wantStatus])
		}
	})
}

func FuzzRFC3339(f *testing.F) {
	for _, s := range []string{
		"2026-11-23T18:00:00Z", "2024-02-29T23:59:59.999999999-23:59", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z", "1900-02-29T00:00:00Z",
		"2000-02-29T00:00:00Z", "1969-12-31T23:59:59.9999+00:00", "2026-11-23T18:00:00,5Z", "2026-11-23T8:00:00Z", "0000-02-29T12:00:00+01:00", "2026-04-31T00:00:00Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseRFC3339(s)
		if want, wantOK := timeSlowly(s); ok != wantOK || got != want {
			t.Fatalf("%q: got %d %v, want %d %v", s, got, ok, want, wantOK)
		}
	})
}

// strictly checks what Go's time does not: two digits everywhere, and a point before the fraction.
var strictly = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// timeSlowly is parseRFC3339 with Go's time package.
func timeSlowly(s string) (int64, bool) {
	s = strings.ToUpper(s)
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || !strictly.MatchString(s) {
		return 0, false
	}
	return at.UnixMilli(), true
}

// FuzzSplit compares streams of values with encoding/json.
func FuzzSplit(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
		f.Add([]byte("[" + s + "," + s + "]"))
		f.Add([]byte(s + "\n" + s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var got []string
		err := Split(in, func(i int, b []byte, err error) bool {
			if i != len(got) {
				t.Fatalf("index %d after %d pieces", i, len(got))
			}
			got = append(got, string(b))
			return true
		})
		in = bytes.TrimPrefix(in, byteOrderMark)
		want, all := stream(in)
		if (all || json.Valid(in)) && err != nil {
			t.Fatalf("%q: got %v", in, err)
		}
		if !all {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: got %d values, want %d", in, len(got), len(want))
		}
		for i := range want {
			if got[i] != string(want[i]) && len(want[i]) <= MaxBytes {
				t.Fatalf("%q: value %d is %q, want %q", in, i, got[i], want[i])
			}
		}
	})
}

// stream returns the values of a text as encoding/json reads it, with arrays flattened. all is
// false if it is not a stream of objects and arrays, or one is nested deeper than an event may be.
func stream(in []byte) (values []json.RawMessage, all bool) {
	d := json.NewDecoder(bytes.NewReader(in))
	for {
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return values, errors.Is(err, io.EOF)
		}
		if v[0] != '{' && v[0] != '[' || skipValue(v, 0, valueNesting) < 0 {
			return nil, false
		}
		if v[0] == '{' {
			values = append(values, v)
			continue
		}
		var elements []json.RawMessage
		if json.Unmarshal(v, &elements) != nil {
			return nil, false
		}
		values = append(values, elements...)
	}
}

// FuzzFromMessagePack looks for panics and for output that is not JSON.
func FuzzFromMessagePack(f *testing.F) {
	for _, s := range []string{"\x81\xa1a\x01", "\x92\x80\x80", "\xd6\xff\x00\x00\x00\x01", "\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\xca\x7f\xc0\x00\x00", "\xdd\xff\xff\xff\xff", "\xc7\x0c\x05", "\x81\xa1\xff\xa1\xe9"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = FromMessagePack(in, 1<<20, func(_ int, b []byte, err error) bool {
			if err == nil && !(json.Valid(b) && isText(b)) {
				t.Fatalf("%q made %q", in, b)
			}
			return true
		})
	})
}

// FuzzCheckText: any bytes are judged without a panic, and valid JSON is judged as the decoder
// judges it.
func FuzzCheckText(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"a":"\ud800"}`, `{"a":"\ud800\udc00"}`, "{\"a\":\"\xff", "{\"\xff", `{"a" 1,"b":"\ud800"}`, `\`, `\u`, `\ud8`, `{"a":{"b":[}],"c":"\udc00`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		at, err := CheckText(in)
		if (at < 0) != (err == nil) || at >= len(in) {
			t.Fatalf("%q: at %d: %v", in, at, err)
		}
		if err == nil && json.Valid(in) && !utf8.Valid(in) {
			t.Fatalf("%q is not UTF-8", in)
		}
	})
}
