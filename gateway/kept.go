package gateway

import (
	"sync/atomic"
	"unsafe"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// kept bounds what a gateway keeps so that sessions can share it: encoded frames, and the changes
// that they are made of. What finds no room is made for one session and dropped. What nobody has
// used since the previous sweep is dropped, so that only the cells of a silent dashboard are held.
type kept struct {
	most int64
	held atomic.Int64
}

func (k *kept) take(n int64) bool {
	if k.held.Add(n) > k.most {
		k.held.Add(-n)
		return false
	}
	return true
}

func (k *kept) give(n int64) { k.held.Add(-n) }

func (f *frame) cost() int64 {
	n := int64(unsafe.Sizeof(*f))
	for _, p := range f.payloads {
		n += int64(unsafe.Sizeof(p)) + int64(cap(p))
	}
	return n
}

func costOf(u *cells.Update) int64 {
	return int64(unsafe.Sizeof(*u)) + int64(cap(u.Cells))*int64(unsafe.Sizeof(cells.Cell{})) + int64(cap(u.Removed))*int64(unsafe.Sizeof(cells.Tombstone{}))
}

// keep stores a frame for the next session, if there is room.
func (c *cohort) keep(f *frame) {
	if n := f.cost(); c.m.kept.take(n) {
		c.frames, c.held = append(c.frames, f), c.held+n
	}
}

func (c *cohort) drop() {
	c.m.kept.give(c.held)
	c.frames, c.held = nil, 0
}

// keepChanges stores the changes since v for the next cohort, if there is room.
func (m *mirror) keepChanges(v uint64, u *cells.Update) {
	n := costOf(u)
	if !m.kept.take(n) {
		return
	}
	if m.changes == nil {
		m.changes = map[uint64]*cells.Update{}
	}
	m.changes[v], m.held = u, m.held+n
}

func (m *mirror) dropChanges() {
	m.kept.give(m.held)
	m.changes, m.held = nil, 0
}

// letGo drops what nobody has used since the last call, or everything if the mirror ends.
func (m *mirror) letGo(all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.cohorts {
		if all || !c.used {
			c.drop()
		}
		c.used = false
	}
	if all || !m.used {
		m.dropChanges()
	}
	m.used = false
}
