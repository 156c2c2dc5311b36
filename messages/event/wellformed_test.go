package event

import (
	"fmt"
	"strings"
	"testing"
)

// TestTextIsUnicode: no text of an event is repaired, wherever it is; the refusal says what is
// wrong and where.
func TestTextIsUnicode(t *testing.T) {
	for _, c := range []struct{ in, message string }{
		{"{\"metric\":\"M\xfcller\"}", `byte 0xfc, which is not UTF-8, at byte 12, in "metric"`},
		{"{\"metric\":\"m\",\"labels\":{\"name\":\"M\xf6ller\"}}", `byte 0xf6, which is not UTF-8, at byte 33, in "labels.name"`},
		{"{\"metric\":\"m\",\"dims\":{\"b\":1, \"n\xe4me\":\"x\"}}", `at byte 31, in "dims.n"`},
		// also where a repeated name makes another value win
		{"{\"metric\":\"m\",\"labels\":{\"a\":\"\xff\",\"a\":\"x\"}}", `at byte 29, in "labels.a"`},
		{"{\"metric\":\"m\",\"id\":\"\xff\",\"id\":\"x\"}", `at byte 20, in "id"`},
		{"{\"metric\":\"m\",\"producer\":\"a\xc3\"}", `byte 0xc3, which is not UTF-8, at byte 27, in "producer"`},
		{"{\"metric\":\"m\",\"metadata\":{\"a\":[1,{\"b\":\"\xe2\x82\"}]}}", `byte 0xe2, which is not UTF-8, at byte 39, in "metadata.a"`},
		{"{\"metric\":\"m\",\"metadata\":\"\xc0\xaf\"}", `byte 0xc0`},
		{"{\"metric\":\"m\",\"time\":\"\xa0\"}", `in "time"`},
		{"{\"metric\":\"m\",\"value\":\"\xa0\"}", `in "value"`},
		{"{\"metric\":\"m\",\"unknown\":{\"x\":\"\xf8\"}}", `in "unknown.x"`},
		{"{\"metric\":\"m\",\"unk\xf8wn\":1}", `byte 0xf8, which is not UTF-8, at byte 18, in "unk"`},
		// half a pair, encoded as if it were a character
		{"{\"metric\":\"m\",\"tenant\":\"\xed\xa0\x80\"}", `byte 0xed`},
		{`{"metric":"m","labels":{"k":"\ud800"}}`, `\ud800, half of a surrogate pair, at byte 29, in "labels.k"`},
		{`{"metric":"m","labels":{"k":"x\uDC00\uD800"}}`, `\uDC00, half of a surrogate pair, at byte 30, in "labels.k"`},
		{`{"metric":"m","labels":{"k":"\ud800\ud800\udc00"}}`, `\ud800, half of a surrogate pair, at byte 29`},
		{`{"metric":"m","labels":{"k":"\ud800A"}}`, `\ud800, half`},
		{`{"metric":"m","labels":{"k":"\ud800\u0041"}}`, `\ud800, half`},
		{`{"metric":"m","labels":{"\udfff":1}}`, `\udfff, half of a surrogate pair, at byte 25, in "labels."`},
		{`{"\ud83d":1,"metric":"m"}`, `\ud83d, half of a surrogate pair, at byte 2`},
		{`{"metric":"\\\ud83d"}`, `\ud83d, half of a surrogate pair, at byte 13, in "metric"`},
		{`["\ud83d"]`, `\ud83d, half of a surrogate pair, at byte 2`},
		{`"\ud83d"`, `\ud83d, half of a surrogate pair, at byte 1`},
		{`{"metric":"\\ud83d"}`, ``},
		{`{"metric":"😀\ud83d\ude00\uD83D\uDE00"}`, ``},
		{`{"metric":"�\ufffd"}`, ``}, // the replacement character itself is a character
		{`{"metric":"\\\\\ud83d\ude00\\ud83d"}`, ``},
	} {
		var d Decoder
		var e Event
		err := d.Decode([]byte(c.in), &e)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if (got == "") != (c.message == "") || !strings.Contains(got, c.message) || got != "" && !strings.HasPrefix(got, ReasonMalformed) {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.message)
		}
	}
}

// TestMessagePackTextIsUnicode: the same for MessagePack; the byte offset counts in the event's own
// MessagePack.
func TestMessagePackTextIsUnicode(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"\x81\xa6metric\xa7M\xfcller!", `byte 0xfc, which is not UTF-8, at byte 10, in "metric"`},
		{"\x81\xa6labels\x82\xa1a\x01\xa4name\xa3\xf6lx", `byte 0xf6, which is not UTF-8, at byte 18, in "labels.name"`},
		{"\x81\xa6labels\xc4\x02a\xff", `byte 0xff, which is not UTF-8, at byte 11, in "labels"`},
		{"\x81\xa8metadata\x92\x01\xa1\xe9", `at byte 13, in "metadata"`},
		{"\x81\xa6labels\x81\xa2a\xe9\x01", `byte 0xe9, which is not UTF-8, at byte 11, in "labels"`},
		{"\xa1\xe9", `byte 0xe9, which is not UTF-8, at byte 1`},
		{"\x81\xa1a\xa2\xc3\xa4", "{\"a\":\"ä\"}"},
	} {
		body := c.in + "\x81\xa1a\x01" // the event behind it is accepted all the same
		got := pieces(func(y func(int, []byte, error) bool) error { return FromMessagePack([]byte(body), 1<<20, y) })
		want := fmt.Sprintf("0 malformed: %s\n1 {\"a\":1}\n", c.want)
		if strings.HasPrefix(c.want, "{") {
			want = fmt.Sprintf("0 %s\n1 {\"a\":1}\n", c.want)
		}
		if !strings.HasPrefix(c.want, "at ") && got != want || !strings.Contains(got, c.want) {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, want)
		}
	}
}

// TestBadTextRefusesOnlyItsEvent also holds inside an array.
func TestBadTextRefusesOnlyItsEvent(t *testing.T) {
	var d Decoder
	var e Event
	got := ""
	err := Split([]byte("[{\"metric\":\"a\xff\"},{\"metric\":\"\\ud800\"},{\"metric\":\"b\"}]"), func(_ int, b []byte, _ error) bool {
		if d.Decode(b, &e) != nil {
			e.Metric = "refused"
		}
		got += e.Metric + " "
		return true
	})
	if want := "refused refused b "; got != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// TestAppendStringRepairsNothing: two texts that differ stay different.
func TestAppendStringRepairsNothing(t *testing.T) {
	for _, s := range []string{"M\xfcller", "\xff", "ä\xc3"} {
		b := AppendJSON(nil, &Event{Metric: "m", Labels: []Label{{"name", s}}})
		var d Decoder
		if err := d.Decode(b, &Event{}); err == nil || !strings.Contains(err.Error(), "is not UTF-8") {
			t.Errorf("%q: written as %q and read with %v", s, b, err)
		}
	}
}

// TestNumbersOfLabels: a label that is a number keeps its JSON text as written, so that no two
// texts become one group.
func TestNumbersOfLabels(t *testing.T) {
	e := decodeFine(t, `{"metric":"m","labels":{"a":1,"b":1.0,"c":1e2,"d":100,"e":"1","f":-0,"g":1E2}}`)
	if got, want := line(e), `/ m value=0(missing) time=0(missing) a="1" b="1.0" c="1e2" d="100" e="1" f="-0" g="1E2"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestValuesBeyondExactness: a value is the nearest double. From 2^53 on not every whole number is
// one.
func TestValuesBeyondExactness(t *testing.T) {
	for _, c := range []struct {
		in   string
		want float64
	}{
		{`9007199254740991`, 1<<53 - 1},
		{`9007199254740992`, 1 << 53},
		{`9007199254740993`, 1 << 53},
		{`9007199254740994`, 1<<53 + 2},
		{`18446744073709551615`, 1 << 64},
		{`-9007199254740993`, -1 << 53},
	} {
		if e := decodeFine(t, `{"metric":"m","value":`+c.in+`}`); e.Value != c.want || e.ValueStatus != OK {
			t.Errorf("%s: got %v %s, want %v", c.in, e.Value, statusNames[e.ValueStatus], c.want)
		}
	}
}
