package fold

import (
	"math"

	"github.com/dashfeed/dashfeed/fold/aggregate"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// At says where in the log a record stands.
type At struct {
	Position messages.Position
	LogTime  int64 // the shard's log time at the record, ms
	Append   int64 // the record's own append time, ms
	Event    int64 // the time that its producer gave it beside the payload, ms; 0: none
	Again    bool  // it was forwarded and is here already: no dashboard gets it
}

// Dashboard is the state of one dashboard. There may be a hundred thousand, so what few of them
// need is kept behind pointers (rare, panelRare, seenRare), and rows are written only when they are
// read.
type Dashboard struct {
	program  *Program
	key      messages.Key
	region   string
	set      cells.Set
	entries  []entry // by handle
	panels   []panel // as program.panels
	position messages.Position
	epoch    messages.Epoch
	holes    uint32         // how many of the shard's are taken
	behind   messages.Epoch // names the holes taken before the first record; of no use after it

	time      int64 // log time at the last step
	watermark int64 // W
	lastLog   int64 // L
	newest    int64 // M
	purged    int64 // windows that end here or before are purged; never falls

	rowsAt     uint64 // rows of cells changed up to this version are written
	accepted   uint64
	duplicates uint64
	seen       seen
	inForce    *inForce // nil: the tenant's default, nobody defined this dashboard
	rare       *rare
}

// entry is what the fold knows of a cell beside the cell. References count from 1; 0 is none.
type entry struct {
	acc   uint32 // its accumulator, until its window is purged
	group uint32
	next  uint32 // handle + 1 of the group's next cell, of an earlier start
	peer  uint32 // handle + 1 of the window's next cell
}

// panel is the state of one panel.
type panel struct {
	groups   groups
	accs     aggregate.Slab
	windows  []window // tumbling, hopping: by start
	gone     uint32   // how many of windows are purged: the first ones
	left     uint32   // how many of windows left keep
	open     int64    // the least end of a window that isn't final; math.MaxInt64: none
	accepted uint64
	rare     *panelRare
}

// panelRare is what most panels have nothing of.
type panelRare struct {
	filtered, lateDropped, lateAccepted, overflowed, unsampled uint64

	tooDear uint64 // of filtered: the filter would have cost too much

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

// rare is what most dashboards have nothing of.
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

// New is a dashboard without a record. The region is part of its epochs; the key's strings are
// kept.
func New(k messages.Key, region string, p *Program) *Dashboard {
	d := &Dashboard{program: p, key: k, region: region}
	d.begin()
	return d
}

// begin empties everything but the cells, the version and the definition.
func (d *Dashboard) begin() {
	d.watermark, d.lastLog, d.newest, d.purged = NoTime, NoTime, NoTime, NoTime
	d.accepted, d.duplicates, d.rare = 0, 0, nil
	d.seen = newSeen()
	d.panels = make([]panel, len(d.program.panels))
	for i := range d.panels {
		d.panels[i].open = math.MaxInt64
	}
}

// step begins a step for a record: first come the deadlines up to its log time, and the end of the
// memory of invented ids. It gives the step's version.
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

// Key names the dashboard.
func (d *Dashboard) Key() messages.Key { return d.key }

// Epoch is 0 before the first record.
func (d *Dashboard) Epoch() messages.Epoch { return d.epoch }

// Version counts the steps taken.
func (d *Dashboard) Version() uint64 { return d.set.Version() }

// Position is that of the last record.
func (d *Dashboard) Position() messages.Position { return d.position }

// Time is the log time at the last step, ms; 0 before the first.
func (d *Dashboard) Time() int64 { return d.time }

// Watermark is W, ms, or NoTime.
func (d *Dashboard) Watermark() int64 { return d.watermark }

// Program is the compiled definition in force.
func (d *Dashboard) Program() *Program { return d.program }

// InForce tells which definition record is in force; isDefault is the tenant's default, also after
// a record that took the dashboard's own away.
func (d *Dashboard) InForce() (revision uint64, region string, isDefault bool) {
	if d.inForce == nil {
		return 0, "", true
	}
	return d.inForce.Revision, d.inForce.Region, d.inForce.deleted
}

// Since is what changed after version v: the cells of all panels, the hidden one too. ok is false
// where only Since(0) helps.
func (d *Dashboard) Since(v uint64) (cells.Update, bool) {
	d.writeRows()
	u, ok := d.set.Since(v)
	u.Epoch = d.epoch
	return u, ok
}

// Schema describes the visible panels; overflow is set where keys went to the overflow group.
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
