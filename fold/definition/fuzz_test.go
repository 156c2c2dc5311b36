package definition_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// FuzzParse: Parse never panics; an error is Problems with places; what it accepts can be read back
// from both written forms.
func FuzzParse(f *testing.F) {
	f.Add([]byte(checkout))
	f.Add(definition.Default("acme").Canonical())
	text, err := os.ReadFile("testdata/problems.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range strings.Split(string(text), "=== ")[1:] {
		src, _, _ := strings.Cut(c, "---\n")
		_, src, _ = strings.Cut(src, "\n")
		f.Add([]byte(src))
	}
	f.Add([]byte("dashboard: a\ntitle: \" \\t\\u2028\\ufeff: #\\n\\n x\"\npanels: [{id: a, window: latest, filter: \"\\n\\nvalue > 1\\n \"}]"))
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, o := range []definition.Options{{}, {Key: messages.Key{Tenant: "default"}}} {
			defs, err := definition.Parse("f", src, o)
			var ps definition.Problems
			if err != nil && !errors.As(err, &ps) {
				t.Fatalf("error is not Problems: %v", err)
			}
			for _, p := range ps {
				if p.Line < 1 || p.Column < 1 || p.Message == "" {
					t.Errorf("problem without place or message: %+v", p)
				}
			}
			for _, d := range defs {
				roundTrip(t, d)
			}
		}
	})
}

// FuzzParseRecord: reading any content of a log does not panic, and a record that is read is
// written back unchanged.
func FuzzParseRecord(f *testing.F) {
	f.Add(definition.Record{Revision: 1, Region: "local", Definition: definition.Default("acme")}.Append(nil))
	f.Add(definition.Record{}.Append(nil))
	f.Add([]byte(`{"definition":{"dashboard":"a","panels":[{"id":"a","window":{"hopping":"2s","every":"0"}}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := definition.ParseRecord(b)
		if err != nil {
			return
		}
		again, err := definition.ParseRecord(r.Append(nil))
		if err != nil {
			t.Fatalf("%s\nwas read, but written back it is not: %v\n%s", b, err, r.Append(nil))
		}
		if string(again.Append(nil)) != string(r.Append(nil)) {
			t.Errorf("%s\n%s", r.Append(nil), again.Append(nil))
		}
	})
}

// FuzzFilter: compiling and matching never panic.
func FuzzFilter(f *testing.F) {
	for _, src := range []string{
		`metric == "latency" && value > 0 && labels.country != "XX"`, `metadata?.a[1:2] ?? [1, {"a": 2}]`, `split(id, "-")[time % 2] matches "a+"`,
		`value ** 2 / 0 > 1 ? true : labels["x"]`, `int(labels.a) | max(1, 2) == 2`, `not ("a" in metadata)`, "`x` contains metric",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if filter, err := definition.CompileFilter(src); err == nil {
			filter.Match(filterEvent())
			filter.Match(&event.Event{})
		}
	})
}
