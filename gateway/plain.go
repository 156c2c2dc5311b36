package gateway

import (
	"net/http"
	"strconv"

	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// The plain dialect: one dashboard a connection, nothing to send, newest value per metric.

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
	m, err := s.mirrors.acquire(r.Context(), k)
	if err != nil {
		s.remove(nil, c)
		writeError(w, err)
		return
	}
	ses := s.upgrade(w, r, c, true)
	if ses == nil {
		s.mirrors.release(m)
		return
	}
	sub := &subscription{s: ses, m: m}
	m.mu.Lock()
	// the view of a whole dashboard is always had
	all, _ := m.join(cohortKey{encoding: encodingPlain}, want{})
	sub.enter(all)
	m.mu.Unlock()
	s.mirrors.count(m, 1)
	ses.subs = []*subscription{sub}
	s.start(ses)
	sub.wake()
}

// plainFrames are the dialect's messages for an update: the initial state for who holds nothing,
// else one for each metric whose newest value changed. Several messages stand one behind the other,
// each with its header.
func (m *mirror) plainFrames(u *cells.Update, initial bool) []byte {
	if initial {
		return sealText(m.appendInitialState(make([]byte, maxHeader, 1024), u))
	}
	var out, b []byte
	for i := range u.Cells {
		c := &u.Cells[i]
		if int(c.Panel) != m.metrics {
			continue
		}
		name, v, ok := newest(c)
		if !ok {
			continue
		}
		b = append(b[:0], `{"type":"update","dashboardId":`...)
		b = wire.AppendString(b, m.key.Dashboard)
		b = append(b, `,"timestamp":`...)
		b = wire.AppendValue(b, v[1])
		b = append(b, `,"metric":`...)
		b = wire.AppendString(b, name)
		b = append(b, `,"value":`...)
		b = wire.AppendValue(b, v[0])
		b = append(b, `,"metadata":`...)
		b = append(appendMetadata(b, v[2]), '}')
		out = append(appendHeader(out, opText, len(b)), b...)
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

// appendNewest appends the object of newest values by metric; the readings call the time "time",
// the plain dialect "timestamp".
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

// newest takes a cell of the panel of newest values apart: metric; value, time, metadata.
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

// appendMetadata appends an event's metadata, {} where it had none.
func appendMetadata(b []byte, v cells.Value) []byte {
	if v.Kind != cells.JSON {
		return append(b, "{}"...)
	}
	return append(b, v.JSON...)
}
