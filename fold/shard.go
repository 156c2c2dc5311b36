package fold

import (
	"errors"
	"slices"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// Shard folds whole records of one partition, for the command line, recounts and tests. It holds
// every dashboard in memory; servers use actors instead.
type Shard struct {
	state      *ShardState
	region     string
	table      Table
	dashboards map[messages.Key]*replayable
	population *Population
	decoder    event.Decoder
	home       func(messages.Key) bool // nil: every dashboard's home is here
}

// replayable is a dashboard with what is needed to fold its newest records again without the one
// that makes it panic.
type replayable struct {
	dashboard *Dashboard
	state     []byte // nil: the dashboard began with the first of records
	began     *Program
	records   []observed
}

// observed is a record with its place in the log and, for a definition, what it was parsed and
// compiled to at that time.
type observed struct {
	messages.Record
	at      At
	define  definition.Record
	program *Program // nil: it could not be read or compiled
}

// saveEvery is the greatest number of a dashboard's records that are folded again.
const saveEvery = 256

// NewShard returns a shard without a record.
func NewShard(region string, t Table) *Shard {
	return &Shard{state: NewShardState(t), region: region, table: t, dashboards: map[messages.Key]*replayable{}, population: NewPopulation(MaxDashboards, MaxTenantDashboards)}
}

// Home says which dashboards have their home in the shard. From then on the shard skips records of
// others, which lie here until they are forwarded.
func (s *Shard) Home(home func(messages.Key) bool) { s.home = home }

// State returns the shard's own state.
func (s *Shard) State() *ShardState { return s.state }

// Dashboard returns the dashboard as of the shard's log time; nil if it has no record.
func (s *Shard) Dashboard(k messages.Key) *Dashboard {
	r := s.dashboards[k]
	if r == nil {
		return nil
	}
	r.dashboard.Advance(s.state.logTime)
	return r.dashboard
}

// Keys returns the keys of the dashboards that have a record, ordered.
func (s *Shard) Keys() []messages.Key {
	keys := make([]messages.Key, 0, len(s.dashboards))
	for k := range s.dashboards {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, messages.Key.Compare)
	return keys
}

// Fold folds one record; call it in log order. A record that makes the fold panic is set aside.
func (s *Shard) Fold(r messages.Record) {
	if s.home != nil && r.Key.Dashboard != "" && !s.home(r.Key) {
		s.state.ObserveMisrouted(r)
		return
	}
	at, err := s.state.Observe(r)
	if err != nil || at.Repeated || r.Kind == messages.KindTick || r.Key.Dashboard == "" {
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

// read parses and compiles a definition record, once: a replay must find the same default as
// before.
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

// rollBack restores the dashboard as it was before the record that panicked.
func (s *Shard) rollBack(d *replayable) {
	d.dashboard = New(d.dashboard.key, s.region, d.began)
	if d.state != nil {
		var err error
		if d.dashboard, err = Decode(d.state, s.compile); err != nil {
			panic(err) // this process wrote it
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
