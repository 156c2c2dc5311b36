package fold

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// ShardState is a shard's own state: log time, the tenants' defaults, which forwarded records have
// been folded, the accepted holes, and the records that no dashboard folded. The state of its
// dashboards is separate.
type ShardState struct {
	table    Table
	logTime  int64
	defaults map[string]*tenantDefault // by tenant; only tenants that set one
	builtin  map[string]*Program       // by tenant, compiled from definition.Default; a cache
	origins  origins
	holes    []Hole
	refusals refusals
}

// tenantDefault is the default definition record in force for a tenant. A record that deleted the
// default is kept for its revision.
type tenantDefault struct {
	definition.Order
	program *Program // nil: deleted
}

// maxBuiltin bounds the cache of compiled built-in defaults: with more tenants it is emptied.
const maxBuiltin = 10_000

// NewShardState returns the state of a shard without a record.
func NewShardState(t Table) *ShardState {
	return &ShardState{table: t, logTime: messages.NoTime, defaults: map[string]*tenantDefault{}, builtin: map[string]*Program{}, origins: origins{}}
}

// LogTime returns the greatest append time seen, or messages.NoTime.
func (s *ShardState) LogTime() int64 { return s.logTime }

// Observe processes every record whose home is this shard, in log order. It moves log time, applies
// the definition records of tenants' defaults, counts refused records that belong to no dashboard,
// and marks repeated forwarded records. An error means that a default could not be read or a
// forwarded record was not accepted; the record then changed nothing but log time.
func (s *ShardState) Observe(r messages.Record) (At, error) {
	at := s.stamp(&r)
	if r.Refused != "" {
		if r.Key.Dashboard == "" {
			s.refusals.add(&r, at.Append)
		}
		return at, nil
	}
	if !r.Origin.Position.IsZero() {
		var err error
		if at.Repeated, err = s.origins.repeated(r.Origin); err != nil {
			return at, fmt.Errorf("record at %s: %w", r.Position, err)
		}
	}
	if r.Kind != messages.KindDefinition || r.Key.Dashboard != "" {
		return at, nil
	}
	x, err := definition.ParseRecord(r.Payload)
	if err != nil {
		return at, fmt.Errorf("default of tenant %s at %s: %w", r.Key.Tenant, r.Position, err)
	}
	t := &tenantDefault{Order: x.Order()}
	if old := s.defaults[r.Key.Tenant]; old != nil && !t.After(old.Order) {
		return at, nil
	}
	if x.Definition != nil {
		if t.program, err = Compile(x.Definition, s.table); err != nil {
			return at, fmt.Errorf("default of tenant %s at %s: %w", r.Key.Tenant, r.Position, err)
		}
	}
	s.defaults[r.Key.Tenant] = t
	return at, nil
}

// Refuse counts an observed record that no dashboard folds, with that reason.
func (s *ShardState) Refuse(r messages.Record, at At, reason string) {
	r.Refused = reason
	s.refusals.add(&r, at.Append)
}

// Default returns what a tenant's dashboards without a definition of their own fold by: the
// tenant's default, else the built-in one.
func (s *ShardState) Default(tenant string) *Program {
	if t := s.defaults[tenant]; t != nil && t.program != nil {
		return t.program
	}
	if p := s.builtin[tenant]; p != nil {
		return p
	}
	p, err := Compile(definition.Default(tenant), s.table)
	if err != nil {
		panic(fmt.Errorf("the built-in default does not compile against the table: %w", err))
	}
	if len(s.builtin) >= maxBuiltin {
		clear(s.builtin)
	}
	s.builtin[tenant] = p
	return p
}

// DefaultRevision returns the (revision, region) of the tenant's default in force; 0 and "" if none
// was ever set.
func (s *ShardState) DefaultRevision(tenant string) (revision uint64, region string) {
	if t := s.defaults[tenant]; t != nil {
		return t.Revision, t.Region
	}
	return 0, ""
}

// ObserveMisrouted processes a record whose home is another shard: it moves log time and nothing
// else. A refused record is counted, because nobody forwards it.
func (s *ShardState) ObserveMisrouted(r messages.Record) {
	at := s.stamp(&r)
	if r.Refused != "" {
		s.refusals.add(&r, at.Append)
	}
}

// stamp moves log time by the record and returns the record's place in the log.
func (s *ShardState) stamp(r *messages.Record) At {
	s.logTime = max(s.logTime, r.Append)
	at := At{Position: r.Position, LogTime: s.logTime, Append: r.Append, Event: r.EventTime}
	if r.Append == messages.Unstamped {
		at.Append = s.logTime
	}
	return at
}

// Append appends the canonical state: format, log time, the defaults ordered by tenant, the
// origins, the holes, the refusals.
func (s *ShardState) Append(b []byte) []byte {
	b = binary.AppendVarint(append(b, Format), s.logTime)
	tenants := make([]string, 0, len(s.defaults))
	for t := range s.defaults {
		tenants = append(tenants, t)
	}
	slices.Sort(tenants)
	b = binary.AppendUvarint(b, uint64(len(tenants)))
	for _, name := range tenants {
		t := s.defaults[name]
		b = codec.AppendString(b, name)
		b = appendOrder(b, t.Order)
		var canonical []byte
		if t.program != nil {
			canonical = t.program.canonical
		}
		b = codec.AppendString(b, canonical)
	}
	b = s.origins.append(b)
	b = appendHoles(b, s.holes)
	return s.refusals.append(b)
}

// DecodeShardState reads what Append wrote.
func DecodeShardState(b []byte, t Table) (*ShardState, error) {
	if len(b) == 0 || b[0] != Format {
		return nil, fmt.Errorf("shard state: format %v, this is format %d", b[:min(1, len(b))], Format)
	}
	s := NewShardState(t)
	r := &codec.Reader{B: b[1:]}
	s.logTime = r.Varint()
	const leastBytes = 12
	n := r.Count(leastBytes)
	for i := 0; i < n && !r.Failed; i++ {
		name := r.String()
		d := &tenantDefault{Order: readOrder(r)}
		if canonical := r.Bytes(); len(canonical) > 0 {
			def, err := definition.ParseCanonical(canonical)
			if err != nil {
				return nil, fmt.Errorf("shard state: default of tenant %s: %w", name, err)
			}
			if d.program, err = Compile(def, t); err != nil {
				return nil, fmt.Errorf("shard state: default of tenant %s: %w", name, err)
			}
		}
		s.defaults[name] = d
	}
	s.origins = readOrigins(r)
	s.holes = readHoles(r)
	s.refusals = readRefusals(r)
	if r.Failed || len(r.B) > 0 {
		return nil, errCorruptShard
	}
	return s, nil
}

var errCorruptShard = errors.New("shard state is corrupt")
