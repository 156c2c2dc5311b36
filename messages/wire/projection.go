package wire

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/zeebo/xxh3"
)

// Projection is a view of a dashboard resolved against a schema: which panels and groups it shows,
// and under which numbers. It is immutable.
type Projection struct {
	View   messages.View
	Schema Schema // the view's panels; a cell's panel number on the wire is an index into it

	panels []int32 // indexed by the dashboard's panel number: the view's number, or -1
	groups map[cells.Group]bool
}

// Project resolves a view. panels nil means all of them. An id that the schema lacks is an error,
// and the projection of the other panels comes with it. groups nil means all.
func Project(k messages.Key, s Schema, panels []string, groups []Tuple) (*Projection, error) {
	p := &Projection{panels: make([]int32, len(s))}
	var unknown error
	for _, id := range panels {
		if !slices.ContainsFunc(s, func(q Panel) bool { return q.Panel == id }) {
			unknown = Errorf(CodeBadField, "panel %.64q is not one of this dashboard's: %s", id, panelIDs(s))
		}
	}
	for i, q := range s {
		p.panels[i] = -1
		if panels == nil || slices.Contains(panels, q.Panel) {
			p.panels[i] = int32(len(p.Schema))
			p.Schema = append(p.Schema, q)
		}
	}
	if p.Schema == nil {
		p.Schema = Schema{}
	}
	if groups != nil {
		p.groups = make(map[cells.Group]bool, len(groups))
		for _, t := range groups {
			p.groups[t.Group()] = true
		}
	}
	p.View = viewID(k, p.Schema, panels, p.groups)
	return p, unknown
}

// Group returns the tuple's canonical form; nil (JSON null) is the overflow group.
func (t Tuple) Group() cells.Group {
	if t == nil {
		return cells.Overflow
	}
	var b []byte
	for _, v := range t {
		if v == nil {
			b = cells.AppendGroupKey(b, "", false)
			continue
		}
		b = cells.AppendGroupKey(b, *v, true)
	}
	return cells.Group(b)
}

// Panel returns the view's number of a dashboard's panel; ok is false if the view does not show it.
func (p *Projection) Panel(number uint16) (n int32, ok bool) {
	if int(number) >= len(p.panels) || p.panels[number] < 0 {
		return 0, false
	}
	return p.panels[number], true
}

// Has reports whether the view shows the cell.
func (p *Projection) Has(c *cells.Cell) bool {
	_, ok := p.Panel(c.Panel)
	return ok && (p.groups == nil || p.groups[c.Group])
}

// Touched reports whether u changes anything that the view shows.
func (p *Projection) Touched(u *cells.Update) bool {
	for i := range u.Cells {
		if p.Has(&u.Cells[i]) {
			return true
		}
	}
	for _, t := range u.Removed {
		if _, ok := p.Panel(t.Panel); ok && t.Removed > u.From {
			return true
		}
	}
	return false
}

// viewID is the first 8 bytes of xxh3 over everything that makes two views differ, each part with
// its length. It leaves out the counts of overflow, which change without making another view. It
// includes the panels asked for besides those shown: otherwise "all panels" and a list of all of
// them would become one view after a definition drops the rest.
func viewID(k messages.Key, s Schema, panels []string, groups map[cells.Group]bool) messages.View {
	b := appendPart(nil, k.Tenant)
	b = appendPart(b, k.Dashboard)
	b = binary.AppendUvarint(b, uint64(len(s)))
	for _, q := range s {
		b = appendPart(b, q.Panel)
		b = appendPart(b, q.Title)
		b = appendPart(b, string(q.Window))
		b = binary.AppendVarint(b, int64(q.Keep))
		b = appendParts(b, q.GroupBy)
		b = appendParts(b, q.Columns)
	}
	if groups == nil {
		b = append(b, 0)
	} else {
		list := make([]cells.Group, 0, len(groups))
		for g := range groups {
			list = append(list, g)
		}
		slices.SortFunc(list, func(a, b cells.Group) int { return cmp.Compare(a, b) })
		b = append(b, 1)
		for _, g := range list {
			b = appendPart(b, string(g))
		}
	}
	if panels != nil {
		b = appendParts(append(b, 1), slices.Compact(slices.Sorted(slices.Values(panels))))
	}
	v := messages.View(xxh3.Hash(b))
	if v == 0 {
		v = 1 // 0 means "not given"
	}
	return v
}

func appendPart(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendParts(b []byte, ss []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(ss)))
	for _, s := range ss {
		b = appendPart(b, s)
	}
	return b
}

func panelIDs(s Schema) string {
	var b []byte
	for i, q := range s {
		if i == 8 {
			b = append(b, ", …"...)
			break
		}
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendQuote(b, q.Panel)
	}
	return string(b)
}
