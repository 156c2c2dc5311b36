package gateway

import (
	"net/http"
	"strconv"
	"time"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// The plain dialect: one dashboard per connection, no messages from the client, newest value per
// metric.

// servePlain serves /dashboard/{id}.
func (s *Server) servePlain(w http.ResponseWriter, r *http.Request, _ query, c caller) {
	k, err := c.key("", r.PathValue("id"), read)
	if err != nil {
		writeError(w, err)
		return
	}
	if !s.upgradable(w, r, c) {
		return
	}
	if err := s.holdView(c, k, 0); err != nil {
		s.remove(nil, c)
		writeError(w, err)
		return
	}
	m, err := s.mirrors.acquire(r.Context(), k)
	if err != nil {
		s.releaseView(c, k, 0)
		s.remove(nil, c)
		writeError(w, err)
		return
	}
	m.mu.Lock()
	err = c.maySee(m.schema)
	m.mu.Unlock()
	if err == nil {
		err = c.mayFind(m.place().Epoch == 0)
	}
	if err != nil {
		s.releaseView(c, k, 0)
		s.mirrors.release(m)
		s.remove(nil, c)
		writeError(w, err)
		return
	}
	ses := s.upgrade(w, r, c, &plainUpgrader, nil)
	if ses == nil {
		s.releaseView(c, k, 0)
		s.mirrors.release(m)
		return
	}
	sub := &subscription{s: ses, m: m}
	sub.holds.Store(true)
	m.mu.Lock()
	// the view of a whole dashboard has no cost, so join cannot fail
	all, _ := m.join(cohortKey{dialect: plain{}}, want{})
	sub.enter(all)
	m.mu.Unlock()
	s.mirrors.count(m, 1)
	ses.subs = []*subscription{sub}
	s.start(ses)
	sub.wake()
}

// plain is the dialect: the initial state for a client that holds nothing, then a message for each
// metric whose newest value changed.
type plain struct{}

func (plain) places() bool { return false }

func (plain) touched(c *cohort, u *cells.Update) bool {
	for i := range u.Cells {
		if int(u.Cells[i].Panel) == c.m.metrics {
			return true
		}
	}
	return false
}

// notices returns none: a client that cannot be told how to get to its place is sent the initial
// state.
func (plain) notices(s *subscription, _ time.Time) (out []message, wait bool) {
	if s.epoch != s.m.epoch && s.epoch != 0 || s.version != 0 && s.version < s.m.set.Floor() {
		s.held = false
	}
	return nil, false
}

func (plain) payloads(c *cohort, u *cells.Update, initial bool) (out [][]byte) {
	m := c.m
	if initial {
		return [][]byte{m.appendInitialState(make([]byte, 0, 1024), u)}
	}
	var b []byte
	for i := range u.Cells {
		c := &u.Cells[i]
		if int(c.Panel) != m.metrics {
			continue
		}
		name, v, ok := newest(c)
		if !ok {
			continue
		}
		begin := len(b)
		b = append(b, `{"type":"update","dashboardId":`...)
		b = wire.AppendString(b, m.key.Dashboard)
		b = append(b, `,"timestamp":`...)
		b = wire.AppendValue(b, v[1])
		b = append(b, `,"metric":`...)
		b = wire.AppendString(b, name)
		b = append(b, `,"value":`...)
		b = wire.AppendValue(b, v[0])
		b = append(b, `,"metadata":`...)
		b = append(appendMetadata(b, v[2]), '}')
		out = append(out, b[begin:len(b):len(b)])
	}
	return out
}

func (m *mirror) appendInitialState(b []byte, u *cells.Update) []byte {
	b = append(b, `{"type":"initial-state","dashboardId":`...)
	b = wire.AppendString(b, m.key.Dashboard)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, m.time, 10)
	b = append(b, `,"metrics":`...)
	b = appendNewest(b, u, m.metrics, "timestamp")
	b = append(b, `,"panels":[`...)
	for n, p := range m.schema {
		if n > 0 {
			b = append(b, ',')
		}
		b = appendPlainPanel(b, p, n, u)
	}
	b = append(b, `],"epoch":"`...)
	b = append(b, m.epoch.String()...)
	b = append(b, `","version":`...)
	b = strconv.AppendUint(b, u.To, 10)
	return append(b, '}')
}

func appendPlainPanel(b []byte, p wire.Panel, number int, u *cells.Update) []byte {
	b = append(b, `{"panel":`...)
	b = wire.AppendString(b, p.Panel)
	b = append(b, `,"title":`...)
	b = wire.AppendString(b, p.Title)
	b = append(b, `,"columns":[`...)
	for i, c := range p.Columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendString(b, c)
	}
	b = append(b, `],"cells":[`...)
	first := true
	for i := range u.Cells {
		c := &u.Cells[i]
		if int(c.Panel) != number {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"start":`...)
		b = strconv.AppendInt(b, c.Start, 10)
		b = append(b, `,"end":`...)
		b = strconv.AppendInt(b, c.End, 10)
		b = append(b, `,"group":`...)
		b = wire.AppendGroup(b, c.Group)
		b = append(b, `,"final":`...)
		b = strconv.AppendBool(b, c.Revision > 0)
		b = append(b, `,"values":`...)
		b = append(wire.AppendRow(b, c.Row), '}')
	}
	return append(b, `]}`...)
}

// appendNewest appends the object of newest values by metric. Readings call the time "time", the
// plain dialect calls it "timestamp".
func appendNewest(b []byte, u *cells.Update, panel int, timeName string) []byte {
	b = append(b, '{')
	first := true
	for i := range u.Cells {
		c := &u.Cells[i]
		if int(c.Panel) != panel {
			continue
		}
		name, v, ok := newest(c)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = wire.AppendString(b, name)
		b = append(b, `:{"value":`...)
		b = wire.AppendValue(b, v[0])
		b = append(b, `,"`...)
		b = append(b, timeName...)
		b = append(b, `":`...)
		b = wire.AppendValue(b, v[1])
		b = append(b, `,"metadata":`...)
		b = append(appendMetadata(b, v[2]), '}')
	}
	return append(b, '}')
}

// newest splits a cell of the panel of newest values into the metric, and its value, time and
// metadata.
func newest(c *cells.Cell) (metric string, v [3]cells.Value, ok bool) {
	if c.Group == cells.Overflow {
		return "", v, false
	}
	keys, err := c.Group.Keys()
	if err != nil || len(keys) != 1 {
		return "", v, false
	}
	n := 0
	c.Row.Each(func(i int, x cells.Value) bool {
		if n = i + 1; i < len(v) {
			v[i] = x
		}
		return i+1 < len(v)
	})
	return keys[0].Key, v, n == len(v)
}

// appendMetadata appends an event's metadata, {} if it has none.
func appendMetadata(b []byte, v cells.Value) []byte {
	if v.Kind != cells.JSON {
		return append(b, "{}"...)
	}
	return append(b, v.JSON...)
}
