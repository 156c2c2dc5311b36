package definition_test

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/fold/definition"
)

// Any definition within the bounds can be read back from both of its written forms.
func TestRoundTripProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDefinition(rt)
		for _, read := range []func() (*definition.Definition, error){
			func() (*definition.Definition, error) { return definition.ParseCanonical(d.Canonical()) },
			func() (*definition.Definition, error) { return parseOne(d.YAML()) },
			func() (*definition.Definition, error) { return parseOne(d.Canonical()) },
		} {
			back, err := read()
			if err != nil {
				rt.Fatalf("%v\n%s", err, d.YAML())
			}
			if string(back.Canonical()) != string(d.Canonical()) || back.Hash() != d.Hash() {
				rt.Errorf("got  %s\nwant %s", back.Canonical(), d.Canonical())
			}
		}
	})
}

func parseOne(src []byte) (*definition.Definition, error) {
	defs, err := definition.Parse("", src, definition.Options{})
	if err != nil {
		return nil, err
	}
	return defs[0], nil
}

func drawDefinition(t *rapid.T) *definition.Definition {
	duration := func(least int64) time.Duration {
		return time.Duration(rapid.Int64Range(least, 1e11).Draw(t, "ms")) * time.Millisecond
	}
	name := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._~:-]{0,20}`)
	text := rapid.StringN(0, 30, -1).Filter(func(s string) bool {
		return !strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' })
	})
	d := &definition.Definition{
		Tenant: name.Draw(t, "tenant"), Dashboard: name.Draw(t, "dashboard"), Title: text.Draw(t, "title"),
		Time:   definition.Time{Bound: duration(0), Idle: duration(0), MaxFuture: duration(0), Lateness: duration(0)},
		Dedupe: definition.Dedupe{By: rapid.SampledFrom([]definition.DedupeBy{definition.ByID, definition.ByProducer, definition.ByNone}).Draw(t, "by"), Horizon: duration(1)},
		Tie:    rapid.SampledFrom([]definition.Tie{definition.TieOrder, definition.TieID}).Draw(t, "tie"),
		Reset:  rapid.Bool().Draw(t, "reset"),
	}
	if rapid.Bool().Draw(t, "scoped") {
		d.Scope = []definition.Scoped{{Label: "region", Attribute: "r"}, {Label: "shop.id", Attribute: "shop"}}[rapid.IntRange(0, 1).Draw(t, "first"):]
		d.MaxValues, d.Quiet = rapid.IntRange(1, definition.MaxValues).Draw(t, "values"), rapid.Bool().Draw(t, "quiet")
	}
	for _, id := range rapid.SliceOfNDistinct(name, 1, 4, rapid.ID).Draw(t, "ids") {
		p := definition.Panel{
			ID: id, Title: text.Draw(t, "title"), Keep: rapid.IntRange(1, definition.MaxKeep).Draw(t, "keep"),
			Filter:     rapid.SampledFrom([]string{"", "value > 1", "  metric == \"a: #b\"\n\n", "'x' in labels // # \t"}).Draw(t, "filter"),
			GroupBy:    rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"metric", "labels.a", "labels.null", "labels.a.b-c"}), 0, 4, rapid.ID).Draw(t, "group_by"),
			Aggregates: rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"count", "p95", "p99.9", "rate:count", "rate", "last"}), 1, 6, rapid.ID).Draw(t, "aggregates"),
			MaxGroups:  rapid.IntRange(1, definition.MaxMaxGroups).Draw(t, "max_groups"),
		}
		switch p.Window.Kind = rapid.SampledFrom([]definition.WindowKind{definition.Tumbling, definition.Hopping, definition.Session, definition.Count, definition.Latest}).Draw(t, "window"); p.Window.Kind {
		case definition.Hopping:
			p.Window.Every = duration(1)
			p.Window.Size = p.Window.Every * time.Duration(rapid.Int64Range(1, 3).Draw(t, "times"))
		case definition.Count:
			p.Window.N = rapid.IntRange(1, definition.MaxCount).Draw(t, "n")
		case definition.Latest:
		default:
			p.Window.Size = duration(1)
		}
		if p.Unscoped = len(d.Scope) > 0 && rapid.Bool().Draw(t, "unscoped"); !p.Unscoped {
			for _, s := range d.Scope {
				p.GroupBy = append(p.GroupBy, "labels."+s.Label)
			}
		}
		d.Panels = append(d.Panels, p)
	}
	return d
}
