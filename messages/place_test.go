package messages_test

import (
	"math"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages"
	"pgregory.net/rapid"
)

func TestPlaceText(t *testing.T) {
	for text, want := range map[string]messages.Place{
		"9f2c41d0:1842:9b1e6a02c4d7f810": {Epoch: 0x9f2c41d0, Version: 1842, View: 0x9b1e6a02c4d7f810},
		"00000001:0":                     {Epoch: 1},
		"00000000:18446744073709551615":  {Version: math.MaxUint64},
	} {
		got, err := messages.ParsePlace(text)
		if err != nil || got != want {
			t.Errorf("ParsePlace(%q) = %v, %v, want %v", text, got, err, want)
		}
		if want.String() != text {
			t.Errorf("%#v is written %q, want %q", want, want.String(), text)
		}
	}
}

// TestMalformedPlaces: a malformed place is an error that names what was given.
func TestMalformedPlaces(t *testing.T) {
	for _, text := range []string{
		"", ":", "::", "9f2c41d0", "9f2c41d0:", "9f2c41d0:-1", "9f2c41d0:1.5", "9f2c41d0:18446744073709551616", "9f2c41d:1",
		"9f2c41d01:1", "xf2c41d0:1", "+f2c41d0:1", "9f2c41d0:1:", "9f2c41d0:1:9b1e", "9f2c41d0:1:9b1e6a02c4d7f81g",
		"9f2c41d0:1:9b1e6a02c4d7f810:x", " 9f2c41d0:1",
	} {
		p, err := messages.ParsePlace(text)
		if err == nil {
			t.Errorf("ParsePlace(%q) = %v, want an error", text, p)
		} else if !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("the error of %q does not name it: %v", text, err)
		}
	}
}

func TestPlaceRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := messages.Place{
			Epoch:   messages.Epoch(rapid.Uint32().Draw(rt, "epoch")),
			Version: rapid.Uint64().Draw(rt, "version"),
			View:    messages.View(rapid.Uint64().Draw(rt, "view")),
		}
		if got, err := messages.ParsePlace(p.String()); err != nil || got != p {
			rt.Fatalf("%v is read as %v, %v", p, got, err)
		}
	})
}
