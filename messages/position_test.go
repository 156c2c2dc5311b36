package messages_test

import (
	"bytes"
	"cmp"
	"math"
	"testing"

	"github.com/dashfeed/dashfeed/messages"
	"pgregory.net/rapid"
)

func TestPositionText(t *testing.T) {
	for text, want := range map[string]messages.Position{
		"0":                    {},
		"1842":                 {Lo: 1842},
		"7.3":                  {Hi: 7, Lo: 3},
		"18446744073709551615": {Lo: math.MaxUint64},
	} {
		got, err := messages.ParsePosition(text)
		if err != nil || got != want {
			t.Errorf("ParsePosition(%q) = %v, %v, want %v", text, got, err, want)
		}
		if want.String() != text {
			t.Errorf("%#v is written %q, want %q", want, want.String(), text)
		}
	}
	for _, text := range []string{"", ".", "1.", ".1", "-1", "1.2.3", "18446744073709551616", " 1", "0x1", "1e3"} {
		if p, err := messages.ParsePosition(text); err == nil {
			t.Errorf("ParsePosition(%q) = %v, want an error", text, p)
		}
	}
}

// Text and bytes keep a position, and the bytes keep the order too.
func TestPositionRoundTripAndOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, q := drawPosition(rt), drawPosition(rt)
		if got, err := messages.ParsePosition(p.String()); err != nil || got != p {
			rt.Fatalf("%v as text is read as %v, %v", p, got, err)
		}
		pb, qb := p.Append(nil), q.Append(nil)
		if got, err := messages.DecodePosition(append(pb, 1, 2)); err != nil || got != p {
			rt.Fatalf("%v as bytes is read as %v, %v", p, got, err)
		}
		if sign(bytes.Compare(pb, qb)) != sign(p.Compare(q)) || sign(p.Compare(q)) != -sign(q.Compare(p)) {
			rt.Fatalf("order of %v and %v: %d, as bytes %d", p, q, p.Compare(q), bytes.Compare(pb, qb))
		}
		if p.After(q) != (p.Compare(q) > 0) || p.IsZero() != (p == messages.Position{}) {
			rt.Fatalf("After or IsZero of %v, %v", p, q)
		}
	})
	if _, err := messages.DecodePosition(make([]byte, messages.PositionBytes-1)); err == nil {
		t.Error("a position of 15 bytes was read")
	}
}

func drawPosition(rt *rapid.T) messages.Position {
	part := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64())
	return messages.Position{Hi: part.Draw(rt, "hi"), Lo: part.Draw(rt, "lo")}
}

func sign(n int) int { return cmp.Compare(n, 0) }
