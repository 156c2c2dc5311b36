package event

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// pieces returns what was yielded, one line each, and the body's error.
func pieces(split func(yield func(int, []byte, error) bool) error) string {
	var b strings.Builder
	err := split(func(index int, payload []byte, err error) bool {
		if err != nil {
			fmt.Fprintf(&b, "%d %v\n", index, err)
		} else {
			fmt.Fprintf(&b, "%d %s\n", index, payload)
		}
		return true
	})
	if err != nil {
		fmt.Fprintf(&b, "body: %v\n", err)
	}
	return b.String()
}

func TestSplit(t *testing.T) {
	big := `{"x":"` + strings.Repeat("y", MaxBytes) + `"}`
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, c := range []struct{ body, want string }{
		{``, ``},
		{" \r\n\t", ``},
		{`{"a":1}`, "0 {\"a\":1}\n"},
		{"\n {\"a\":\n1} \n", "0 {\"a\":\n1}\n"},
		{"{\"a\":1}\n{\"b\":2}\r\n\n  \n\t{\"c\"}\n", "0 {\"a\":1}\n1 {\"b\":2}\n2 {\"c\"}\n"},
		{"{\"a\":1\n{\"b\":2}", "0 {\"a\":1\n1 {\"b\":2}\n"},
		{"oops\n{\"b\":2}", "0 oops\n1 {\"b\":2}\n"},
		{`{"a":1}{"b":2}`, "0 {\"a\":1}\n1 {\"b\":2}\n"},
		{"{\"a\":1} {\"b\":2}\t[3, {}]\r\n{}", "0 {\"a\":1}\n1 {\"b\":2}\n2 3\n3 {}\n4 {}\n"},
		{"{\n  \"a\":1\n}\n{\n  \"b\":2\n}\n", "0 {\n  \"a\":1\n}\n1 {\n  \"b\":2\n}\n"},
		{"{\"a\":\n1}\n{\"b\":2}", "0 {\"a\":\n1}\n1 {\"b\":2}\n"},
		{"{\"a\":1},\n{\"b\":2}", "0 {\"a\":1},\n1 {\"b\":2}\n"},
		{"{\"a\":1} x\n{\"b\":\n2} x {}\n{}", "0 {\"a\":1} x\n1 {\"b\":\n2} x {}\n2 {}\n"},
		{"{}\n[{},[7]]\n{}", "0 {}\n1 {}\n2 [7]\n3 {}\n"},
		{"{}\n[{},\n{}", "0 {}\n1 [{},\n2 {}\n"},
		{"{\n \"a\" 1\n}\n{\n \"b\":2\n}\n{}", "0 {\n \"a\" 1\n}\n1 {\n \"b\":2\n}\n2 {}\n"},
		{" {\n  \"a\":{\n  }\n {\n \"b\":2\n }\n", "0 {\n  \"a\":{\n  }\n1 {\n \"b\":2\n }\n"},
		{"{}{\n \"a\" 1\n}\n{}", "0 {}\n1 {\n \"a\" 1\n}\n2 {}\n"},
		{"{\n\"a\":1,\n", "0 {\n\"a\":1,\n"},
		{"{\n\"a\":" + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n}\n{}", "0 {\n\"a\":" + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n}\n1 {}\n"},
		{"{\n\"x\":" + big + "}\n{}", "0 too_large: an event is at most 65536 bytes\n1 {}\n"},
		{"\ufeff{\"a\":1}\n{\"b\":2}", "0 {\"a\":1}\n1 {\"b\":2}\n"},
		{"\ufeff[1]", "0 1\n"},
		{"\ufeff", ""},
		{"{}\n\ufeff{}", "0 {}\n1 \ufeff{}\n"},
		{` [ ] `, ``},
		{`[{"a":[1,{}]} , 7,"]",null,[]]`, "0 {\"a\":[1,{}]}\n1 7\n2 \"]\"\n3 null\n4 []\n"},
		{`[` + deep + `,1]`, "0 " + deep + "\n1 1\n"},
		{`[` + big + `,1]`, "0 too_large: an event is at most 65536 bytes\n1 1\n"},
		{big + "\n{}", "0 too_large: an event is at most 65536 bytes\n1 {}\n"},
		{`[1,]`, "0 1\nbody: the body is not a JSON array: unexpected ']' at byte 3\n"},
		{`[1 2]`, "0 1\nbody: the body is not a JSON array: unexpected '2' at byte 3\n"},
		{`[1`, "0 1\nbody: the body is not a JSON array: unexpected end after 2 bytes\n"},
		{`[`, "body: the body is not a JSON array: unexpected end after 1 bytes\n"},
		{`[1]x`, "0 1\nbody: the body is not a JSON array: unexpected 'x' at byte 3\n"},
		{"[1]\n[2]", "0 1\n1 2\n"},
		{"[1] [2]\n{}\noops\n", "0 1\n1 2\n2 {}\n3 oops\n"},
		{"[1]\n[2,", "0 1\n1 [2,\n"},
		{"[1],\n[2]", "0 1\nbody: the body is not a JSON array: unexpected ',' at byte 3\n"},
		{`[1,NaN]`, "0 1\nbody: the body is not a JSON array: unexpected 'N' at byte 3\n"},
		{strings.Repeat("[", 1<<20), "body: the body is not a JSON array: nested too deep\n"},
	} {
		if got := pieces(func(y func(int, []byte, error) bool) error { return Split([]byte(c.body), y) }); got != c.want {
			t.Errorf("%.60q\n got %.200q\nwant %.200q", c.body, got, c.want)
		}
	}
}

func TestSplitUntyped(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{``, ``},
		{` [1,2]`, "0 1\n1 2\n"},
		{"\ufeff{\"a\":1}", "0 {\"a\":1}\n"},
		{"{}\n{}", "0 {}\n1 {}\n"},
		{"\x81\xa1a\x01", "0 {\"a\":1}\n"},
		{"\x92\x80\x81\xa1a\x01", "0 {}\n1 {\"a\":1}\n"},
		{"\xdc\x00\x01\x80\xde\x00\x00", "0 {}\n1 {}\n"},
		{"\xdd\x00\x00\x00\x01\x80", "0 {}\n"},
		{"\xdf\x00\x00\x00\x00", "0 {}\n"},
		{"\x07", "0 \x07\n"},
		{"\xff\xfe{\x00}\x00", "0 \xff\xfe{\x00}\x00\n"},
	} {
		got := pieces(func(y func(int, []byte, error) bool) error { return SplitUntyped([]byte(c.body), 1<<20, y) })
		if got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.body, got, c.want)
		}
	}
}

func TestSplitStops(t *testing.T) {
	for _, body := range []string{"[1,2,x", "{}\n{}\n{}"} {
		n := 0
		err := Split([]byte(body), func(int, []byte, error) bool { n++; return n < 2 })
		if n != 2 || err != nil {
			t.Errorf("%s: %d yielded, error %v; want 2 and none", body, n, err)
		}
	}
}

func packed1(t *testing.T, v any) []byte {
	t.Helper()
	b, err := msgp.AppendIntf(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFromMessagePack(t *testing.T) {
	pack := func(v any) string { return string(packed1(t, v)) }
	nest := func(n int) any {
		var v any = 1
		for range n {
			v = []any{v}
		}
		return map[string]any{"a": v}
	}
	at := time.UnixMilli(1795422000371)
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", ""},
		{"a map", pack(map[string]any{"a": 1}), "0 {\"a\":1}\n"},
		{"maps one after another", pack(map[string]any{"a": 1}) + pack(map[string]any{}), "0 {\"a\":1}\n1 {}\n"},
		{"an array", pack([]any{map[string]any{"a": "x\nä"}, 7, []any{}, nil}), "0 {\"a\":\"x\\u000aä\"}\n1 7\n2 []\n3 null\n"},
		{"an array, then a map", pack([]any{1}) + pack(map[string]any{}), "0 1\n1 {}\n"},
		{"numbers", pack([]any{uint64(math.MaxUint64), int64(math.MinInt64), 1.5, float32(0.1), 1e300, true}), "0 18446744073709551615\n1 -9223372036854775808\n2 1.5\n3 0.1\n4 1e+300\n5 true\n"},
		{"not finite", pack([]any{math.NaN(), math.Inf(1), float32(math.Inf(-1))}), "0 1e999\n1 1e999\n2 -1e999\n"},
		{"bytes", pack([]byte("a\"b")), "0 \"a\\\"b\"\n"},
		{"times", string(msgp.AppendTime(nil, at)) + string(msgp.AppendTimeExt(nil, at)) + string(msgp.AppendTime(nil, time.Unix(1<<60, 0))), "0 1795422000371\n1 1795422000371\n2 1e999\n"},
		{"keys", "\x83\xc4\x01a\x01\x05\x02\xa1b\x03", "0 {\"a\":1,\"5\":2,\"b\":3}\n"},
		{"a key of nil", "\x81\xc0\x01\x01", "0 malformed: a map's key is of type nil, it must be a string or a whole number\n1 1\n"},
		{"an extension", "\xd4\x42\x00\x01", "0 malformed: a MessagePack extension other than the timestamp is not allowed\n1 1\n"},
		{"nested as deep as allowed", pack(nest(31)), "0 {\"a\":" + strings.Repeat("[", 31) + "1" + strings.Repeat("]", 31) + "}\n"},
		{"nested deeper", pack(nest(32)) + "\x01", "0 too_large: nested more than 32 levels deep\n1 1\n"},
		{"a great text", pack(map[string]any{"a": strings.Repeat("x", MaxBytes+1)}) + "\x01", "0 too_large: an event is at most 65536 bytes\n1 1\n"},
		{"a great event", "\x82\xa1a" + pack(strings.Repeat("x", MaxBytes-10)) + "\xa1b\x01\x01", "0 too_large: an event is at most 65536 bytes\n1 1\n"},
		{"a great event, its last value too much", "\x82\xa1b\x01\xa1a" + pack(strings.Repeat("x", MaxBytes-10)) + "\x01", "0 too_large: an event is at most 65536 bytes\n1 1\n"},
		{"half a map", "\x01\x82\xa1a", "0 1\nbody: the body is not MessagePack: msgp: too few bytes left to read object\n"},
		{"an array that promises more", "\xdd\xff\xff\xff\xff\x01", "0 1\nbody: the body is not MessagePack: msgp: too few bytes left to read object\n"},
		{"a byte that means nothing", "\x01\xc1", "0 1\nbody: the body is not MessagePack"},
	} {
		got := pieces(func(y func(int, []byte, error) bool) error { return FromMessagePack([]byte(c.body), 1<<20, y) })
		if got != c.want && !(strings.HasSuffix(c.want, "MessagePack") && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s\n got %.200q\nwant %.200q", c.name, got, c.want)
		}
	}
}

func TestFromMessagePackBoundsItsJSON(t *testing.T) {
	body := packed1(t, []any{strings.Repeat("\x01", 1000), strings.Repeat("\x01", 1000)})
	for limit, want := range map[int]bool{2 * 6002: false, 2*6002 - 1: true} {
		err := FromMessagePack(body, limit, func(int, []byte, error) bool { return true })
		var whole *BodyError
		if tooLarge := errors.As(err, &whole) && whole.TooLarge; tooLarge != want {
			t.Errorf("limit %d: got %v, want an error: %v", limit, err, want)
		}
	}
}

func TestRoute(t *testing.T) {
	for _, c := range []struct {
		route Route
		event Event
		want  string
	}{
		{Route{}, Event{Dashboard: "d"}, "default/d"},
		{Route{}, Event{Dashboard: "d", Tenant: "t"}, "t/d"},
		{Route{Tenant: "t"}, Event{Dashboard: "d"}, "t/d"},
		{Route{Tenant: "t"}, Event{Dashboard: "d", Tenant: "t"}, "t/d"},
		{Route{Tenant: "t"}, Event{Dashboard: "d", Tenant: "default"}, `wrong_tenant: the event names tenant "default", the request is for "t"`},
		{Route{Dashboard: "q"}, Event{}, "default/q"},
		{Route{Dashboard: "q"}, Event{Dashboard: "d"}, "default/d"},
		{Route{}, Event{}, `missing_dashboard: "dashboard" is missing`},
	} {
		k, err := c.route.Key(&c.event)
		got := k.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v %+v: got %s, want %s", c.route, c.event, got, c.want)
		}
	}
}

// TestSplitIsLinear: each of these lines begins a value that never ends. If each were
// scanned to its depth, a body of a megabyte would cost minutes.
func TestSplitIsLinear(t *testing.T) {
	for _, line := range []string{"{\"a\":\n", "{\"a\":[1,\n", "[\n", "{\n", "{\"a\":1,\"b\":\n"} {
		body, n := []byte("{}\n"+strings.Repeat(line, 1<<20/len(line))), 0
		if err := Split(body, func(int, []byte, error) bool { n++; return true }); err != nil || n < 2 {
			t.Errorf("%q: %d values, %v", line, n, err)
		}
	}
}

// BenchmarkSplit measures a body of 1,000 lines.
func BenchmarkSplit(b *testing.B) {
	body := []byte(strings.Repeat(sample+"\n", 1000))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := Split(body, func(int, []byte, error) bool { n++; return true }); err != nil || n != 1000 {
			b.Fatal(n, err)
		}
	}
}
