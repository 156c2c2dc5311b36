package main

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// printer prints what changed between two steps of a dashboard. It keeps the identity of the cells
// that it has printed, because a removed cell is printed by its identity: this output has no
// numbers.
type printer struct {
	out     io.Writer
	err     error // of the first write that failed
	version uint64
	printed map[uint32]string // by number: "panel",start,end,group
	line    []byte
}

func newPrinter(out io.Writer) *printer { return &printer{out: out, printed: map[uint32]string{}} }

// step prints the version that the dashboard has reached, if cells changed at it.
func (p *printer) step(d *fold.Dashboard) {
	if d.Version() == p.version {
		return
	}
	u, ok := d.Since(p.version)
	if !ok {
		u, _ = d.Since(0) // a break has forgotten the tombstones
	}
	changed, removed := p.take(d, u, ok)
	p.version = d.Version()
	if len(changed)+len(removed) == 0 {
		return
	}
	p.begin("{", d)
	p.line = append(p.line, `,"cells":[`...)
	p.line = append(p.line, changed...)
	p.line = append(p.line, `],"removed":[`...)
	p.line = append(p.line, removed...)
	p.end("]}")
}

// take applies the update to the printed cells, and returns both lists without brackets.
func (p *printer) take(d *fold.Dashboard, u cells.Update, incremental bool) (changed, removed []byte) {
	schema := d.Schema()
	alive := map[uint32]bool{}
	for _, t := range u.Removed {
		if t.Removed > p.version || !incremental {
			removed = p.remove(removed, t.Number)
		}
	}
	for i := range u.Cells {
		c := &u.Cells[i]
		alive[c.Number] = true
		if !shows(schema, c) || c.Changed <= p.version {
			continue
		}
		identity := appendIdentity(nil, schema, c)
		p.printed[c.Number] = string(identity)
		changed = appendCell(changed, identity, c)
	}
	if !incremental {
		for _, n := range slices.Sorted(maps.Keys(p.printed)) {
			if !alive[n] {
				removed = p.remove(removed, n)
			}
		}
	}
	return changed, removed
}

func (p *printer) remove(list []byte, number uint32) []byte {
	was, ok := p.printed[number]
	if !ok {
		return list
	}
	delete(p.printed, number)
	if len(list) > 0 {
		list = append(list, ',')
	}
	list = append(list, '[')
	list = append(list, was...)
	return append(list, ']')
}

// final prints the last line.
func (p *printer) final(d *fold.Dashboard) error {
	u, _ := d.Since(0)
	schema := d.Schema()
	var all []byte
	for i := range u.Cells {
		if c := &u.Cells[i]; shows(schema, c) {
			all = appendCell(all, appendIdentity(nil, schema, c), c)
		}
	}
	p.begin(`{"final":true,`, d)
	p.field("counters", d.Counters())
	p.field("late", orEmpty(d.Late()))
	p.field("refused", orEmpty(d.Refused()))
	p.line = append(p.line, `,"cells":[`...)
	p.line = append(p.line, all...)
	p.end("]}")
	return p.err
}

func (p *printer) begin(head string, d *fold.Dashboard) {
	p.line = append(p.line[:0], head...)
	p.line = append(p.line, `"version":`...)
	p.line = strconv.AppendUint(p.line, d.Version(), 10)
	p.line = append(p.line, `,"time":`...)
	p.line = appendTime(p.line, d.Time())
	p.line = append(p.line, `,"watermark":`...)
	p.line = appendTime(p.line, d.Watermark())
}

func (p *printer) field(name string, v any) {
	b, err := json.Marshal(v)
	if err != nil && p.err == nil {
		p.err = err
	}
	p.line = append(p.line, `,"`+name+`":`...)
	p.line = append(p.line, b...)
}

func (p *printer) end(tail string) {
	p.line = append(append(p.line, tail...), '\n')
	if _, err := p.out.Write(p.line); err != nil && p.err == nil {
		p.err = err
	}
}

// shows reports whether the cell belongs to a panel of the definition. The newest value per metric
// is kept in a further panel.
func shows(schema wire.Schema, c *cells.Cell) bool { return int(c.Panel) < len(schema) }

func appendIdentity(b []byte, schema wire.Schema, c *cells.Cell) []byte {
	b = wire.AppendString(b, schema[c.Panel].Panel)
	b = append(b, ',')
	b = strconv.AppendInt(b, c.Start, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, c.End, 10)
	b = append(b, ',')
	return wire.AppendGroup(b, c.Group)
}

// appendCell appends a cell to a list without brackets.
func appendCell(list, identity []byte, c *cells.Cell) []byte {
	if len(list) > 0 {
		list = append(list, ',')
	}
	list = append(list, '[')
	list = append(list, identity...)
	list = append(list, ',')
	list = strconv.AppendUint(list, uint64(c.Revision), 10)
	list = append(list, ',')
	return append(wire.AppendRow(list, c.Row), ']')
}

// appendTime appends a time in ms, null if there is none.
func appendTime(b []byte, ms int64) []byte {
	if ms == messages.NoTime {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, ms, 10)
}

func orEmpty(list []event.Listed) []event.Listed {
	if list == nil {
		return []event.Listed{}
	}
	return list
}
