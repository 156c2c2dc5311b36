// Package recount reads a log from its beginning and folds it again, independent of every server,
// to check what servers say.
//
//	r := recount.New("local")
//	r.Expect("default", v.Seen())      // what viewers saw, version by version
//	err := r.Read(ctx, log)            // to the end; a later call goes on from there
//	d := r.Dashboard(key)              // the dashboard at the end of the log
//	problems := r.Problems()           // versions that viewers saw and the recount contradicts
package recount

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/chaos/viewer"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// readLimit is how many records one read asks for.
const readLimit = 4096

// Recount is a log that is folded again. One goroutine uses it.
type Recount struct {
	region string
	shards []*shard
	homes  map[messages.Key]int
	// versions that viewers saw and the recount has not reached
	expected map[messages.Key]map[messages.Place]uint64
	ids      map[string]map[uint64]struct{} // of events, by dashboard
	compared int
	problems []string
}

// shard is one partition that is folded again.
type shard struct {
	fold    *fold.Shard
	after   messages.Position
	dashes  []*dashboard
	known   map[messages.Key]bool
	records int
}

// dashboard follows one dashboard from version to version.
type dashboard struct {
	key     messages.Key
	place   messages.Place
	picture viewer.Picture
}

// New returns a recount that has read nothing; the region is part of every epoch.
func New(region string) *Recount {
	return &Recount{
		region: region, homes: map[messages.Key]int{}, expected: map[messages.Key]map[messages.Place]uint64{},
		ids: map[string]map[uint64]struct{}{},
	}
}

// Expect adds what a viewer saw of dashboards in a view of all cells: fingerprints by place. Call
// it before the first Read.
func (r *Recount) Expect(tenant string, seen map[string]map[messages.Place]uint64) {
	for name, places := range seen {
		k := messages.Key{Tenant: tenant, Dashboard: name}
		if r.expected[k] == nil {
			r.expected[k] = map[messages.Place]uint64{}
		}
		for place, fingerprint := range places {
			place.View = 0
			if place.Version == 0 {
				continue // no record yet
			}
			if other, ok := r.expected[k][place]; ok && other != fingerprint {
				r.problem("%s at %s looked different to two viewers", k, place)
			}
			r.expected[k][place] = fingerprint
		}
	}
}

// Read folds the records since the last call, up to the log's end as of this call.
func (r *Recount) Read(ctx context.Context, log eventlog.Log) error {
	for p := range log.Partitions() {
		if p == len(r.shards) {
			s := &shard{fold: fold.NewShard(r.region, fold.Builtin()), known: map[messages.Key]bool{}}
			s.fold.Home(func(k messages.Key) bool {
				home, err := log.PartitionOf(k)
				return err == nil && home == p
			})
			r.shards = append(r.shards, s)
		}
		if err := r.readShard(ctx, log, p); err != nil {
			return fmt.Errorf("recount of shard %d: %w", p, err)
		}
	}
	return nil
}

func (r *Recount) readShard(ctx context.Context, log eventlog.Log, p int) error {
	s := r.shards[p]
	last, err := log.Last(ctx, p)
	if err != nil || !last.After(s.after) {
		return err
	}
	reader, err := log.Read(p, s.after)
	if err != nil {
		return err
	}
	defer reader.Close()
	for last.After(s.after) {
		records, err := reader.Next(ctx, readLimit)
		if err != nil {
			return err
		}
		for _, record := range records {
			if !record.Position.After(s.after) {
				return fmt.Errorf("a record at %s follows one at %s", record.Position, s.after)
			}
			s.after = record.Position
			s.records++
			r.fold(s, p, record)
		}
	}
	return nil
}

// fold folds one record, then compares every dashboard that a viewer saw and whose version the
// record changed: deadlines change dashboards other than the record's own.
func (r *Recount) fold(s *shard, p int, record messages.Record) {
	s.fold.Fold(record)
	r.count(record)
	if k := record.Key; k.Dashboard != "" && !s.known[k] && s.fold.Dashboard(k) != nil {
		s.known[k] = true
		r.homes[k] = p
		s.dashes = append(s.dashes, &dashboard{key: k})
	}
	if len(r.expected) == 0 {
		return
	}
	for _, d := range s.dashes {
		now := s.fold.Dashboard(d.key)
		if now.Version() == d.place.Version && now.Epoch() == d.place.Epoch {
			continue
		}
		r.moved(d, now)
	}
}

func (r *Recount) moved(d *dashboard, now *fold.Dashboard) {
	from := d.place.Version
	if now.Epoch() != d.place.Epoch {
		from = 0
	}
	d.place = messages.Place{Epoch: now.Epoch(), Version: now.Version()}
	expected := r.expected[d.key]
	if expected == nil {
		return
	}
	u, ok := now.Since(from)
	if !ok {
		u, _ = now.Since(0)
	}
	fingerprint := d.picture.Move(&u, len(now.Schema()))
	if want, ok := expected[d.place]; ok {
		r.compared++
		delete(expected, d.place)
		if want != fingerprint {
			r.problem("%s at %s was not what viewers saw", d.key, d.place)
		}
	}
}

// count remembers an event's id, wherever the event lies in the log and however often: the simplest
// possible count.
func (r *Recount) count(record messages.Record) {
	var e struct{ ID, Dashboard string }
	if record.Kind != messages.KindEvent || json.Unmarshal(record.Payload, &e) != nil {
		return
	}
	if r.ids[e.Dashboard] == nil {
		r.ids[e.Dashboard] = map[uint64]struct{}{}
	}
	r.ids[e.Dashboard][xxh3.HashString(e.ID)] = struct{}{}
}

// Unique returns how many events with distinct ids the log has for a dashboard.
func (r *Recount) Unique(dashboard string) uint64 { return uint64(len(r.ids[dashboard])) }

// Dashboard returns the dashboard at the end of what was read, or nil if it has no record.
func (r *Recount) Dashboard(k messages.Key) *fold.Dashboard {
	p, ok := r.homes[k]
	if !ok {
		return nil
	}
	return r.shards[p].fold.Dashboard(k)
}

// Records returns how many records were folded.
func (r *Recount) Records() (n int) {
	for _, s := range r.shards {
		n += s.records
	}
	return n
}

// Compared returns how many versions that viewers saw were compared.
func (r *Recount) Compared() int { return r.compared }

// Problems returns the differences found, and every version that viewers saw and the log does not
// produce.
func (r *Recount) Problems() []string {
	all := append([]string(nil), r.problems...)
	for k, places := range r.expected {
		if len(places) == 0 {
			continue
		}
		for place := range places {
			all = append(all, fmt.Sprintf("%s at %s (one of %d) was shown, but the log does not produce it", k, place, len(places)))
			break
		}
	}
	return all
}

func (r *Recount) problem(format string, args ...any) {
	if len(r.problems) < 20 {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}
