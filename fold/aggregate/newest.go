package aggregate

import (
	"cmp"
	"strings"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// The columns of a latest panel without aggregates: value, time and metadata of its newest event.
var (
	newestValue = Aggregate{
		Word:   "value",
		Bases:  func(o Options) []Base { return []Base{newestBase(o)} },
		Append: func(b []byte, v *Values) []byte { return cells.AppendFloat(b, v.Float(0, 0)) },
	}
	newestTime = Aggregate{
		Word:   "time",
		Bases:  func(o Options) []Base { return []Base{newestBase(o)} },
		Append: func(b []byte, v *Values) []byte { return cells.AppendInt(b, int64(v.Word(0, 1))) },
	}
	newestMetadata = Aggregate{
		Word:  "metadata",
		Bases: func(o Options) []Base { return []Base{newestBase(o)} },
		Append: func(b []byte, v *Values) []byte {
			if carried, ok := v.Object(0).(*carried); ok && carried.metadata != "" {
				return cells.AppendJSON(b, carried.metadata)
			}
			return cells.AppendNull(b)
		},
	}
)

// newestBase is the last edge with the event's metadata. Most events have no metadata; then there
// is no object.
func newestBase(o Options) Base {
	return Base{Name: "newest", Words: 3, Object: &ObjectBase{
		Optional: !o.TieID,
		Add: func(n uint64, w []uint64, p *Object, s Sample) bool {
			var c *carried
			if p != nil && *p != nil {
				c = (*p).(*carried)
			}
			if n > 0 && !newer(s, w, c) {
				return false
			}
			w[0], w[1], w[2] = putFloat(s.Value), uint64(s.Time), s.Order
			if p == nil {
				return false
			}
			if c == nil && len(s.Metadata)+len(s.ID) > 0 {
				c = &carried{}
				*p = c
			}
			if c != nil {
				return c.set(s)
			}
			return false
		},
		Merge: func(_ uint64, w []uint64, p *Object, _ uint64, v []uint64, q Object) {
			s := Sample{Value: getFloat(v[0]), Time: int64(v[1]), Order: v[2]}
			if c, ok := q.(*carried); ok {
				s.ID = c.id
			}
			var c *carried
			if *p != nil {
				c = (*p).(*carried)
			}
			if newer(s, w, c) {
				copy(w, v)
				*p = nil
				if q != nil {
					*p = q.Clone()
				}
			}
		},
		Read: func(r *codec.Reader) Object { return &carried{r.String(), r.String()} },
	}}
}

func newer(s Sample, w []uint64, c *carried) bool {
	order := cmp.Compare(s.Time, int64(w[1]))
	if order == 0 {
		id := ""
		if c != nil {
			id = c.id
		}
		order = strings.Compare(s.ID, id)
	}
	if order == 0 {
		order = cmp.Compare(s.Order, w[2])
	}
	return order > 0
}

// carried is what the newest event carried besides numbers.
type carried struct{ id, metadata string }

// set keeps the sample's texts; it does not copy equal ones again. It drops metadata longer than
// the previous metadata if the state has no room for it.
func (c *carried) set(s Sample) (unsampled bool) {
	if s.Full && len(s.Metadata) > len(c.metadata) {
		s.Metadata, unsampled = nil, true
	}
	if c.id != s.ID {
		c.id = strings.Clone(s.ID)
	}
	if c.metadata != string(s.Metadata) {
		c.metadata = string(s.Metadata)
	}
	return unsampled
}

// Append appends both texts.
func (c *carried) Append(b []byte) []byte {
	return codec.AppendString(codec.AppendString(b, c.id), c.metadata)
}

// Bytes counts the texts twice, because they are in the cell's row too.
func (c *carried) Bytes() int { return 2 * (len(c.id) + len(c.metadata)) }

// Clone returns a copy.
func (c *carried) Clone() Object { d := *c; return &d }
