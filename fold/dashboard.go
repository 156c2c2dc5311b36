package fold

import (
	"math"

	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// At says where in the log a record is.
type At struct {
	Position messages.Position
	LogTime  int64 // the shard's log time at the record, ms
	Append   int64 // the record's own append time, ms
	Event    int64 // the time in ms that the producer set beside the payload; 0: none
	Repeated bool  // the record was forwarded twice: no dashboard folds it
}

// Dashboard is the state of one dashboard. There may be a hundred thousand of them. So what few
// dashboards need is behind pointers (rare, panelRare, seenRare), and rows are written only when
// somebody reads them.
type Dashboard struct {
	program  *Program
	key      messages.Key
	region   string
	set      cells.Set
	entries  []entry // indexed by handle
	panels   []panel // parallel to program.panels
	position messages.Position
	epoch    messages.Epoch
	holes    uint32         // how many of the shard's holes this dashboard has passed
	behind   messages.Epoch // epoch made of the holes passed before the first record; unused after it

	time      int64 // log time at the last step
	watermark int64 // W
	lastLog   int64 // L
	newest    int64 // M
	purged    int64 // windows that end here or before are purged; never falls

	rowsAt     uint64 // rows of cells changed up to this version are written
	accepted   uint64
	duplicates uint64
	seen       seen
	inForce    *inForce // nil: the tenant's default, the dashboard has no definition of its own
	rare       *rare
}

// entry is what the fold knows about a cell besides the cell itself. References count from 1; 0
// means none.
type entry struct {
	acc   uint32 // the cell's accumulator, until its window is purged
	group uint32
	next  uint32 // handle + 1 of the group's next cell, with an earlier start
	peer  uint32 // handle + 1 of the window's next cell
}

// panel is the state of one panel.
type panel struct {
	groups   groups
	accs     aggregate.Slab
	windows  []window // tumbling, hopping: ordered by start
	gone     uint32   // how many of windows are purged: the first ones
	left     uint32   // how many of windows have left keep
	open     int64    // the least end of a window that is not final; math.MaxInt64: none
	accepted uint64
	rare     *panelRare
}

// panelRare holds what most panels do not need.
type panelRare struct {
	filtered, lateDropped, lateAccepted, overflowed, unsampled uint64

	tooCostly uint64 // the part of filtered whose filter would have cost too much

	keys     *overflowKeys // distinct keys that overflowed
	panes    *panes        // hopping
	sessions *sessions     // session
}

func (p *panel) getRare() *panelRare {
	if p.rare == nil {
		p.rare = &panelRare{}
	}
	return p.rare
}

// rare holds what most dashboards do not need.
type rare struct {
	invalid, future, horizon, metricsDropped, setAside uint64

	reasons       reasons
	late, refused listed
}

func (d *Dashboard) getRare() *rare {
	if d.rare == nil {
		d.rare = &rare{}
	}
	return d.rare
}

// New returns a dashboard without a record. The region is part of its epochs. New keeps the key's
// strings.
func New(k messages.Key, region string, p *Program) *Dashboard {
	d := &Dashboard{program: p, key: k, region: region}
	d.begin()
	return d
}

// begin empties everything except the cells, the version and the definition.
func (d *Dashboard) begin() {
	d.watermark, d.lastLog, d.newest, d.purged = messages.NoTime, messages.NoTime, messages.NoTime, messages.NoTime
	d.accepted, d.duplicates, d.rare = 0, 0, nil
	d.seen = newSeen()
	d.panels = make([]panel, len(d.program.panels))
	for i := range d.panels {
		d.panels[i].open = math.MaxInt64
	}
}

// step begins a step for a record and returns the step's version. First it applies the deadlines up
// to the record's log time and forgets invented ids beyond the horizon.
func (d *Dashboard) step(at At) uint64 {
	d.Advance(at.LogTime)
	if r := d.seen.rare; r != nil && r.invented != nil {
		r.invented.forget(d.program.horizon, clampTime(at.LogTime))
	}
	v := d.set.Version() + 1
	d.set.Advance(v)
	if d.epoch == 0 {
		d.time = at.LogTime
		d.epoch = epochOf(d.region, d.key, d.behind, at.Position)
	}
	d.position = at.Position
	d.time = max(d.time, at.LogTime)
	return v
}

// Key returns the dashboard's key.
func (d *Dashboard) Key() messages.Key { return d.key }

// Epoch returns the epoch, 0 before the first record.
func (d *Dashboard) Epoch() messages.Epoch { return d.epoch }

// Version returns how many steps the dashboard has taken.
func (d *Dashboard) Version() uint64 { return d.set.Version() }

// Position returns the position of the last record.
func (d *Dashboard) Position() messages.Position { return d.position }

// Time returns the log time at the last step, ms; 0 before the first.
func (d *Dashboard) Time() int64 { return d.time }

// Watermark returns W in ms, or messages.NoTime.
func (d *Dashboard) Watermark() int64 { return d.watermark }

// Program returns the compiled definition in force.
func (d *Dashboard) Program() *Program { return d.program }

// InForce says which definition record is in force. isDefault means the tenant's default, also
// after a record that deleted the dashboard's own definition.
func (d *Dashboard) InForce() (revision uint64, region string, isDefault bool) {
	if d.inForce == nil {
		return 0, "", true
	}
	return d.inForce.Revision, d.inForce.Region, d.inForce.deleted
}

// Since returns what changed after version v: the cells of all panels, also the hidden one. ok is
// false if only Since(0) helps.
func (d *Dashboard) Since(v uint64) (cells.Update, bool) {
	d.writeRows()
	u, ok := d.set.Since(v)
	u.Epoch = d.epoch
	return u, ok
}

// Schema describes the visible panels; Overflow is set if keys went to the overflow group.
func (d *Dashboard) Schema() wire.Schema {
	s := d.program.schema
	copied := false
	for i := range s {
		r := d.panels[i].rare
		if r == nil || r.keys == nil {
			continue
		}
		if !copied {
			s, copied = append(wire.Schema(nil), s...), true
		}
		s[i].Overflow = &wire.Overflow{Groups: r.keys.estimate()}
	}
	return s
}
