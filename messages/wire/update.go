package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

var updateHead = []byte(`{"type":"update",`)

// Update is an update frame as a client reads it. A server writes it with AppendUpdate.
type Update struct {
	View  messages.View
	Epoch messages.Epoch
	From  uint64
	To    uint64
	// log time at To, ms; 0 if the frame has none: it is sent after it has moved by more than a
	// second
	Time    int64
	Cells   []Cell
	Removed []uint32 // numbers of cells
	More    bool     // the cells are complete only after the last part
}

// Cell is a cell on the wire. Panel, Start, End and Group are set only if Whole: for a cell created
// after From, or one whose End moved.
type Cell struct {
	Number   uint32
	Revision uint32
	Row      cells.Row
	Whole    bool
	Panel    uint16
	Start    int64
	End      int64
	Group    cells.Group
}

// AppendUpdate appends the frame of u as the view sees it. time 0 leaves out the log time. It
// allocates nothing but b.
func AppendUpdate(b []byte, p *Projection, u *cells.Update, time int64) []byte {
	b = append(b, updateHead...)
	b = append(b, `"view":"`...)
	b = appendHex(b, uint64(p.View), 16)
	b = append(b, `","epoch":"`...)
	b = appendHex(b, uint64(u.Epoch), 8)
	b = append(b, `","from":`...)
	b = strconv.AppendUint(b, u.From, 10)
	b = append(b, `,"to":`...)
	b = strconv.AppendUint(b, u.To, 10)
	if time != 0 {
		b = append(b, `,"time":`...)
		b = strconv.AppendInt(b, time, 10)
	}
	b = append(b, `,"cells":`...)
	b = AppendCells(b, p, u)
	if u.From != 0 {
		b = appendRemoved(b, p, u, `,"removed":`)
	}
	return append(b, '}')
}

// AppendCells appends the array of those of u's cells that the view shows.
func AppendCells(b []byte, p *Projection, u *cells.Update) []byte {
	b = append(b, '[')
	first := true
	for i := range u.Cells {
		c := &u.Cells[i]
		if !p.Has(c) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		n, _ := p.Panel(c.Panel)
		// Only the long form contains the end.
		if c.Created > u.From || u.From == 0 || p.Schema[n].Axis.Grows {
			b = appendWhole(b, c, n)
			continue
		}
		b = append(b, '[')
		b = strconv.AppendUint(b, uint64(c.Number), 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, uint64(c.Revision), 10)
		b = append(b, ',')
		b = append(AppendRow(b, c.Row), ']')
	}
	return append(b, ']')
}

func appendWhole(b []byte, c *cells.Cell, panel int32) []byte {
	b = append(b, '[')
	b = strconv.AppendUint(b, uint64(c.Number), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(panel), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, c.Start, 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, c.End, 10)
	b = append(b, ',')
	b = AppendGroup(b, c.Group)
	b = append(b, ',')
	b = strconv.AppendUint(b, uint64(c.Revision), 10)
	b = append(b, ',')
	return append(AppendRow(b, c.Row), ']')
}

// AppendGroup appends a group: an array of strings and nulls, or null for the overflow group. It
// reads the canonical form directly, because splitting it would allocate for every cell.
func AppendGroup(b []byte, g cells.Group) []byte {
	if g == cells.Overflow {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := 0, string(g); s != ""; i++ {
		n, size := binary.Uvarint([]byte(s[:min(len(s), binary.MaxVarintLen64)]))
		if size <= 0 || n > uint64(len(s)-size)+1 {
			break // only a bug makes such a group; show the cell all the same
		}
		s = s[size:]
		if i > 0 {
			b = append(b, ',')
		}
		if n == 0 {
			b = append(b, "null"...)
			continue
		}
		b = AppendString(b, s[:n-1])
		s = s[n-1:]
	}
	return append(b, ']')
}

// AppendRow appends the array of a row's values.
func AppendRow(b []byte, r cells.Row) []byte {
	b = append(b, '[')
	r.Each(func(i int, v cells.Value) bool {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendValue(b, v)
		return true
	})
	return append(b, ']')
}

// AppendValue appends one value.
func AppendValue(b []byte, v cells.Value) []byte {
	switch v.Kind {
	case cells.Float:
		return AppendNumber(b, v.Float)
	case cells.Int:
		return strconv.AppendInt(b, v.Int, 10)
	case cells.JSON:
		return append(b, v.JSON...)
	}
	return append(b, "null"...)
}

// AppendRemovedList appends the array of cell numbers that the view lost; "[]" if there are none or
// u is a snapshot.
func AppendRemovedList(b []byte, p *Projection, u *cells.Update) []byte {
	if u.From == 0 {
		return append(b, "[]"...)
	}
	n := len(b)
	if b = appendRemoved(b, p, u, ""); len(b) == n {
		b = append(b, "[]"...)
	}
	return b
}

// appendRemoved appends name and the removed numbers, or nothing if there are none.
func appendRemoved(b []byte, p *Projection, u *cells.Update, name string) []byte {
	any := false
	for _, t := range u.Removed {
		if _, ok := p.Panel(t.Panel); !ok {
			continue
		}
		if any {
			b = append(b, ',')
		} else {
			b = append(append(b, name...), '[')
			any = true
		}
		b = strconv.AppendUint(b, uint64(t.Number), 10)
	}
	if any {
		b = append(b, ']')
	}
	return b
}

func appendHex(b []byte, n uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, hexDigits[n>>(4*i)&15])
	}
	return b
}

// updateJSON is the frame as encoding/json reads and writes it.
type updateJSON struct {
	View    string            `json:"view"`
	Epoch   string            `json:"epoch"`
	From    uint64            `json:"from"`
	To      uint64            `json:"to"`
	Time    int64             `json:"time,omitempty"`
	Cells   []json.RawMessage `json:"cells"`
	Removed []uint32          `json:"removed,omitempty"`
	More    bool              `json:"more,omitempty"`
}

// UnmarshalJSON reads an update frame.
func (u *Update) UnmarshalJSON(b []byte) error {
	var j updateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	*u = Update{From: j.From, To: j.To, Time: j.Time, Removed: j.Removed, More: j.More}
	var err error
	if u.View, err = messages.ParseView(j.View); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	if u.Epoch, err = messages.ParseEpoch(j.Epoch); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	u.Cells, err = ParseCells(j.Cells)
	if err != nil {
		return fmt.Errorf("update from %d to %d: %w", u.From, u.To, err)
	}
	return nil
}

// MarshalJSON writes the frame without its type, as Encode expects.
func (u Update) MarshalJSON() ([]byte, error) {
	j := updateJSON{View: u.View.String(), Epoch: u.Epoch.String(), From: u.From, To: u.To, Time: u.Time, Removed: u.Removed, More: u.More}
	j.Cells = make([]json.RawMessage, 0, len(u.Cells))
	for _, c := range u.Cells {
		var b []byte
		if c.Whole {
			b = appendWhole(nil, &cells.Cell{Number: c.Number, Revision: c.Revision, Start: c.Start, End: c.End, Group: c.Group, Row: c.Row}, int32(c.Panel))
		} else {
			b = fmt.Appendf(nil, "[%d,%d,", c.Number, c.Revision)
			b = append(AppendRow(b, c.Row), ']')
		}
		j.Cells = append(j.Cells, b)
	}
	return json.Marshal(j)
}

// ParseCells reads the cells of an update or of an HTTP reading, in either form.
func ParseCells(raw []json.RawMessage) ([]Cell, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	cs := make([]Cell, len(raw))
	for i, r := range raw {
		if err := parseCell(r, &cs[i]); err != nil {
			return nil, fmt.Errorf("cell %d: %w", i, err)
		}
	}
	return cs, nil
}

func parseCell(raw json.RawMessage, c *Cell) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	var into []any
	var group, values json.RawMessage
	switch len(parts) {
	case 3:
		into = []any{&c.Number, &c.Revision, &values}
	case 7:
		c.Whole = true
		into = []any{&c.Number, &c.Panel, &c.Start, &c.End, &group, &c.Revision, &values}
	default:
		return fmt.Errorf("a cell of %d parts, want 3 or 7", len(parts))
	}
	for i, p := range parts {
		if err := json.Unmarshal(p, into[i]); err != nil {
			return fmt.Errorf("part %d: %w", i, err)
		}
	}
	if c.Whole {
		var t Tuple
		if err := json.Unmarshal(group, &t); err != nil {
			return fmt.Errorf("group: %w", err)
		}
		c.Group = t.Group()
	}
	row, err := parseRow(values)
	c.Row = row
	return err
}

// parseRow reads values. A number without fraction or exponent becomes an Int below 2^53. From
// there on its digits are only the shortest that identify the double.
func parseRow(raw json.RawMessage) (cells.Row, error) {
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return "", fmt.Errorf("values: %w", err)
	}
	var b []byte
	for _, v := range values {
		switch c := v[0]; {
		case c == 'n':
			b = cells.AppendNull(b)
		case c == '-' || c >= '0' && c <= '9':
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n < maxExact && n > -maxExact {
				b = cells.AppendInt(b, n)
				continue
			}
			f, err := strconv.ParseFloat(string(v), 64)
			if err != nil {
				return "", fmt.Errorf("value %s: %w", v, err)
			}
			b = cells.AppendFloat(b, f)
		default:
			b = cells.AppendJSON(b, []byte(v))
		}
	}
	return cells.Row(b), nil
}
