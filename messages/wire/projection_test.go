package wire

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

var key = messages.Key{Tenant: "default", Dashboard: "checkout"}

func schema() Schema {
	return Schema{
		{Panel: "rps", Window: []byte(`{"tumbling":10000}`), GroupBy: []string{"labels.country"}, Columns: []string{"count", "avg"}},
		{Panel: "visits", Window: []byte(`{"session":30000}`), Axis: Axis{Grows: true}, GroupBy: []string{"labels.user"}, Columns: []string{"count", "sum"}},
	}
}

func hundredCells(t testing.TB) (*Projection, *cells.Update) {
	p, err := Project(key, schema(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	u := &cells.Update{Epoch: 0x9f2c41d0, From: 100, To: 200}
	for i := range uint32(100) {
		u.Cells = append(u.Cells, cells.Cell{
			Number: i, Panel: uint16(i % 2), Start: int64(i) * 10_000, End: int64(i+1) * 10_000, Created: uint64(i) * 2, Changed: 150,
			Group: Tuple{ptr(fmt.Sprint("group ", i))}.Group(), Row: cells.Row(cells.AppendFloat(cells.AppendInt(nil, int64(i)), 0.25+float64(i))),
		})
	}
	u.Removed = []cells.Tombstone{{Number: 7, Panel: 0, Removed: 120}, {Number: 9, Panel: 1, Removed: 130}}
	return p, u
}

func ptr(s string) *string { return &s }

// Two views that differ in anything have different ids; equal views have the same id.
func TestViewIDs(t *testing.T) {
	id := func(k messages.Key, s Schema, panels []string, groups []Tuple) messages.View {
		p, err := Project(k, s, panels, groups)
		if err != nil {
			t.Fatal(err)
		}
		return p.View
	}
	seen := map[messages.View]string{}
	add := func(name string, v messages.View) {
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s are one view", name, other)
		}
		seen[v] = name
	}
	changed := func(change func(p *Panel)) Schema {
		s := schema()
		change(&s[0])
		return s
	}
	whole := id(key, schema(), nil, nil)
	add("whole", whole)
	add("tenant", id(messages.Key{Tenant: "acme", Dashboard: "checkout"}, schema(), nil, nil))
	add("names run together", id(messages.Key{Tenant: "defaultc", Dashboard: "heckout"}, schema(), nil, nil))
	add("one panel", id(key, schema(), []string{"rps"}, nil))
	add("other panel", id(key, schema(), []string{"visits"}, nil))
	add("no group", id(key, schema(), nil, []Tuple{}))
	add("DE", id(key, schema(), nil, []Tuple{{ptr("DE")}}))
	add("missing", id(key, schema(), nil, []Tuple{{nil}}))
	add("empty", id(key, schema(), nil, []Tuple{{ptr("")}}))
	add("two places", id(key, schema(), nil, []Tuple{{ptr("D"), ptr("E")}}))
	add("two groups", id(key, schema(), nil, []Tuple{{ptr("D")}, {ptr("E")}}))
	add("columns", id(key, changed(func(p *Panel) { p.Columns = []string{"count"} }), nil, nil))
	add("columns joined", id(key, changed(func(p *Panel) { p.Columns = []string{"count,avg"} }), nil, nil))
	add("window", id(key, changed(func(p *Panel) { p.Window = []byte(`{"hopping":10000,"every":10000}`) }), nil, nil))
	add("keep", id(key, changed(func(p *Panel) { p.Keep = 1 }), nil, nil))
	add("title", id(key, changed(func(p *Panel) { p.Title = "x" }), nil, nil))

	for name, v := range map[string]messages.View{
		"overflow": id(key, changed(func(p *Panel) { p.Overflow = &Overflow{9} }), nil, nil),
	} {
		if v != whole {
			t.Errorf("%s is another view than the whole", name)
		}
	}
	byName := id(key, schema(), []string{"visits", "rps", "rps"}, nil)
	add("all panels by name", byName)
	if other := id(key, schema(), []string{"rps", "visits"}, nil); other != byName {
		t.Error("the order of panels makes another view")
	}
	if a, b := id(key, schema(), nil, []Tuple{{ptr("D")}, {nil}}), id(key, schema(), nil, []Tuple{{nil}, {ptr("D")}}); a != b {
		t.Error("the order of groups makes another view")
	}
	if _, err := Project(key, schema(), []string{"nope"}, nil); err == nil {
		t.Error("an unknown panel was taken")
	}
}

// The panel numbers on the wire are indices into the view's schema.
func TestProjectionRenumbers(t *testing.T) {
	p, err := Project(key, schema(), []string{"visits"}, []Tuple{{nil}})
	if err != nil {
		t.Fatal(err)
	}
	u := cells.Update{Epoch: 1, From: 1, To: 3, Removed: []cells.Tombstone{{Number: 8, Panel: 1, Removed: 2}, {Number: 9, Panel: 0, Removed: 2}}}
	for i, g := range []Tuple{{ptr("a")}, {nil}} {
		for panel := range uint16(3) {
			u.Cells = append(u.Cells, cells.Cell{Number: uint32(i)*3 + uint32(panel), Panel: panel, End: 7, Group: g.Group(), Created: 2})
		}
	}
	got := string(AppendUpdate(nil, p, &u, 0))
	want := `{"type":"update","view":"` + p.View.String() + `","epoch":"00000001","from":1,"to":3,"cells":[[4,0,0,7,[null],0,[]]],"removed":[8]}`
	if got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
}

// A client that applies updates, wherever each starts, holds the server's cells.
func TestViewFollowsTheSet(t *testing.T) {
	p, err := Project(key, schema(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	var set cells.Set
	var view View
	if err := view.Subscribed(&Subscribed{View: p.View.String(), Schema: schema()}); err != nil {
		t.Fatal(err)
	}
	live := []cells.Handle{}
	for v := uint64(1); v < 3_000; v++ {
		set.Advance(v)
		switch k := rng.IntN(10); {
		case k < 4 || len(live) == 0:
			live = append(live, set.Put(v, cells.Cell{Panel: uint16(rng.IntN(2)), Start: int64(v), End: int64(v) + 5, Group: Tuple{nil, ptr("x\u0001\"é")}.Group()}))
		case k < 8:
			h := live[rng.IntN(len(live))]
			c := set.At(h)
			c.Row, c.Revision = cells.Row(cells.AppendInt(nil, int64(v))), c.Revision+1
			if c.Panel == 1 {
				c.End++
			}
			set.Touch(h, v)
		case k < 9:
			i := rng.IntN(len(live))
			set.Remove(live[i], v)
			live = append(live[:i], live[i+1:]...)
		}
		if rng.IntN(3) > 0 {
			continue
		}
		from := view.Place().Version
		from -= min(from, uint64(rng.IntN(30))) // an update may start before its reader
		u, ok := set.Since(from)
		if !ok {
			u, _ = set.Since(0)
			view.Gap()
		}
		u.Epoch = 7
		f, err := ParseFrame(AppendUpdate(nil, p, &u, 0))
		if err != nil {
			t.Fatal(err)
		}
		if changed, err := view.Apply(f.(*Update)); err != nil || !changed {
			t.Fatalf("at %d: %v %v", v, changed, err)
		}
		if changed, err := view.Apply(f.(*Update)); err != nil || changed && u.From != 0 {
			t.Fatalf("a second time at %d: %v %v", v, changed, err)
		}
		got, want := view.Cells(), set.Cells()
		for i := range got {
			got[i].Created, got[i].Changed = want[i].Created, want[i].Changed
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("at %d\ngot  %v\nwant %v", v, got, want)
		}
	}
}

func TestViewSeesGaps(t *testing.T) {
	update := func(epoch messages.Epoch, from, to uint64, cs ...Cell) *Update {
		return &Update{Epoch: epoch, From: from, To: to, Cells: cs}
	}
	var v View
	for _, c := range []struct {
		name    string
		u       *Update
		changed bool
		gap     bool
	}{
		{"before a snapshot", update(1, 3, 4), false, true},
		{"snapshot", update(1, 0, 5, Cell{Number: 1, Whole: true}), true, false},
		{"beyond", update(1, 6, 7), false, true},
		{"old", update(1, 2, 5), false, false},
		{"next", update(1, 5, 6, Cell{Number: 1}), true, false},
		{"unknown cell", update(1, 6, 7, Cell{Number: 9}), false, true},
		{"another epoch", update(2, 6, 7), false, true},
		{"another epoch's snapshot", update(2, 0, 3), true, false},
	} {
		changed, err := v.Apply(c.u)
		if changed != c.changed || (err != nil) != c.gap {
			t.Errorf("%s: changed %v, %v", c.name, changed, err)
		}
	}
	if p := v.Place(); p.Epoch != 2 || p.Version != 3 || len(v.Cells()) != 0 {
		t.Errorf("the view is at %v with %v", p, v.Cells())
	}
}

// Strings survive whatever bytes they hold, and are JSON.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\\n\t\x00\x1f\x7f", "é€𝄞\u2028", "\xff\xc3", "a\xedb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		b := AppendString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if utf8.ValidString(s) && got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

// A server may send anything: a frame is read or refused and never causes a panic.
func FuzzParseFrame(f *testing.F) {
	f.Add([]byte(`{"type":"update","view":"9b1e6a02c4d7f810","epoch":"9f2c41d0","from":0,"to":1,"cells":[[7,0,[12,"x",[1]]],[31,0,5,6,["FR",null],0,[1,9.5]]],"removed":[4]}`))
	f.Add([]byte(`{"type":"update","cells":[[]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := ParseFrame(b); err == nil {
			if u, ok := g.(*Update); ok {
				var v View
				_, _ = v.Apply(u) // may refuse
			}
		}
		_, _, _ = ParseRequest(b) // may refuse
	})
}
