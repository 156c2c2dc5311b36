package fold

import (
	"errors"
	"slices"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// Shard folds whole records of one partition, for the command, recounts and tests. It holds every
// dashboard in memory; servers have actors for that.
type Shard struct {
	state      *ShardState
	region     string
	table      Table
	dashboards map[messages.Key]*replayable
	population *Population
	decoder    event.Decoder
	home       func(messages.Key) bool // nil: every dashboard is at home
}

// replayable is a dashboard with what is needed to fold its newest records again, without one that
// makes it panic.
type replayable struct {
	dashboard *Dashboard
	state     []byte // nil: it began with the first of records
	began     *Program
	records   []observed
}

// observed is a record with where it stands and, of a definition, what it was read and compiled to
// then.
type observed struct {
	messages.Record
	at      At
	define  definition.Record
	program *Program // nil: it could not be read or compiled
}

// saveEvery is how many records of a dashboard are folded again at most.
const saveEvery = 256

// NewShard is a shard without a record.
func NewShard(region string, t Table) *Shard {
	return &Shard{state: NewShardState(t), region: region, table: t, dashboards: map[messages.Key]*replayable{}, population: NewPopulation(MaxDashboards, MaxTenantDashboards)}
}

// Home says which dashboards are at home in the shard. Records of others, which lie here until they
// are forwarded, are passed by from now on.
func (s *Shard) Home(home func(messages.Key) bool) { s.home = home }

// State is the shard's own state.
func (s *Shard) State() *ShardState { return s.state }

// Dashboard is the dashboard as of the shard's log time; nil if it has no record.
func (s *Shard) Dashboard(k messages.Key) *Dashboard {
	r := s.dashboards[k]
	if r == nil {
		return nil
	}
	r.dashboard.Advance(s.state.logTime)
	return r.dashboard
}

// Keys are the keys of the dashboards that have a record, in order.
func (s *Shard) Keys() []messages.Key {
	keys := make([]messages.Key, 0, len(s.dashboards))
	for k := range s.dashboards {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, messages.Key.Compare)
	return keys
}

// Fold folds one record, in log order. A record that makes the fold panic is set aside.
func (s *Shard) Fold(r messages.Record) {
	if s.home != nil && r.Key.Dashboard != "" && !s.home(r.Key) {
		s.state.PassBy(r)
		return
	}
	at, err := s.state.Observe(r)
	if err != nil || at.Again || r.Kind == messages.KindTick || r.Key.Dashboard == "" {
		return
	}
	if !s.population.Admit(r.Key) {
		s.state.Refuse(r, at, RefusedDashboards)
		return
	}
	d := s.dashboards[r.Key]
	if d == nil {
		p := s.state.Default(r.Key.Tenant)
		d = &replayable{dashboard: New(r.Key, s.region, p), began: p}
		s.dashboards[r.Key] = d
	}
	if len(d.records) == saveEvery {
		d.state, d.records = d.dashboard.Append(nil), nil
	}
	o := s.read(r, at)
	if s.panics(d.dashboard, o) {
		s.rollBack(d)
		d.dashboard.SetAside(at, s.metric(r))
		d.state, d.records = d.dashboard.Append(nil), nil
		return
	}
	o.Payload = slices.Clone(r.Payload)
	d.records = append(d.records, o)
}

// panics folds a record and reports whether the fold panicked.
func (s *Shard) panics(d *Dashboard, o observed) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	s.apply(d, o)
	return false
}

func (s *Shard) apply(d *Dashboard, o observed) {
	if o.Refused != "" {
		d.Malformed(o.at, o.Refused)
		return
	}
	if o.Kind == messages.KindDefinition {
		if o.program == nil {
			d.Malformed(o.at, "definition")
			return
		}
		d.Define(o.at, o.define, o.program)
		return
	}
	var e event.Event
	if err := s.decoder.Decode(o.Payload, &e); err != nil {
		d.Malformed(o.at, reasonOf(err))
		return
	}
	d.Event(o.at, &e)
}

// read reads and compiles a definition record, once: a replay must not find another default than
// there was.
func (s *Shard) read(r messages.Record, at At) observed {
	o := observed{Record: r, at: at}
	if r.Kind != messages.KindDefinition || r.Refused != "" {
		return o
	}
	var err error
	if o.define, err = definition.ParseRecord(r.Payload); err != nil {
		return o
	}
	if o.define.Definition == nil {
		o.program = s.state.Default(r.Key.Tenant)
	} else if o.program, err = Compile(o.define.Definition, s.table); err != nil {
		o.program = nil
	}
	return o
}

func reasonOf(err error) string {
	var r *event.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return "malformed"
}

// rollBack makes the dashboard anew as it was before the record that panicked.
func (s *Shard) rollBack(d *replayable) {
	d.dashboard = New(d.dashboard.key, s.region, d.began)
	if d.state != nil {
		var err error
		if d.dashboard, err = Decode(d.state, s.compile); err != nil {
			panic(err) // it was written by this process
		}
	}
	for _, o := range d.records {
		s.apply(d.dashboard, o)
	}
}

func (s *Shard) compile(canonical []byte) (*Program, error) {
	def, err := definition.ParseCanonical(canonical)
	if err != nil {
		return nil, err
	}
	return Compile(def, s.table)
}

func (s *Shard) metric(r messages.Record) string {
	var e event.Event
	if r.Kind != messages.KindEvent || r.Refused != "" || s.decoder.Decode(r.Payload, &e) != nil {
		return ""
	}
	return e.Metric
}
