package messages_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages"
)

func TestNames(t *testing.T) {
	longest := strings.Repeat("a", messages.MaxNameBytes)
	for _, name := range []string{"a", "Z", "0", "checkout", "a.b_c~d:e-f", "9-", longest} {
		if err := messages.CheckName("dashboard", name); err != nil || !messages.ValidName(name) {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "-a", "_a", "~a", ":a", "a b", "a/b", "a\x00", "é", "aé", "a\n", longest + "a"} {
		err := messages.CheckName("dashboard", name)
		if err == nil || messages.ValidName(name) {
			t.Errorf("%q is allowed", name)
		} else if !strings.Contains(err.Error(), "dashboard") || len(err.Error()) > 200 {
			t.Errorf("the error of %q is %v", name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		key         messages.Key
		text, label string
		valid       bool
	}{
		{messages.Key{Tenant: "default", Dashboard: "checkout"}, "default/checkout", "checkout", true},
		{messages.Key{Tenant: "acme", Dashboard: "checkout"}, "acme/checkout", "acme/checkout", true},
		{messages.Key{Tenant: "acme"}, "acme/", "acme/", false},
		{messages.Key{Dashboard: "x"}, "/x", "/x", false},
	} {
		if c.key.String() != c.text || c.key.Label() != c.label || c.key.Valid() != c.valid {
			t.Errorf("%#v: text %q, label %q, valid %t; want %q, %q, %t", c.key, c.key.String(), c.key.Label(), c.key.Valid(), c.text, c.label, c.valid)
		}
	}
}

// TestKeyOrder: keys sort by tenant first: "a/z" comes before "a-b/a" though '-' is less than '/'.
func TestKeyOrder(t *testing.T) {
	want := []messages.Key{{"a", "a"}, {"a", "z"}, {"a-b", "a"}, {"b", ""}, {"b", "a"}}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, messages.Key.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v, want %v", got, want)
	}
}

func TestKindNames(t *testing.T) {
	for kind, want := range map[messages.Kind]string{
		messages.KindEvent: "event", messages.KindDefinition: "definition", messages.KindTick: "tick", 0: "unknown", 9: "unknown",
	} {
		if kind.String() != want {
			t.Errorf("kind %d is %q, want %q", kind, kind, want)
		}
	}
}
