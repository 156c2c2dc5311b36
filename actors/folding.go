package actors

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
)

// decoding holds what decoding an event needs. A dashboard borrows one for a run.
type decoding struct {
	decoder event.Decoder
	event   event.Event
}

var decodings = sync.Pool{New: func() any { return new(decoding) }}

// foldRun folds the records of a run that the dashboard has not folded yet.
func (d *dashboard) foldRun(r *run) {
	start := time.Now()
	d.load()
	dec := decodings.Get().(*decoding)
	items := r.batch.items
	for i := r.head; i >= 0 && !d.lost && d.shard.life.Err() == nil; {
		at := i
		next, caught := d.foldFrom(r, dec, &at)
		if caught != nil {
			r.panics++
			r.folded++
			d.setAside(&items[at], caught)
			next = items[at].next
		}
		i = next
	}
	decodings.Put(dec)
	r.nanos = int64(time.Since(start))
}

// foldFrom folds the run's records from *i on. It stops at the end, at a record that panics, where
// *i stays, or when the shard is dropped: nobody needs the rest then, and it may take long.
func (d *dashboard) foldFrom(r *run, dec *decoding, i *int32) (next int32, caught any) {
	defer func() {
		if caught = recover(); caught != nil {
			d.shard.logger().Error("a record makes the fold panic", "dashboard", d.key.Label(),
				"position", r.batch.items[*i].Position, "panic", fmt.Sprint(caught), "stack", string(debug.Stack()))
		}
	}()
	for n := 0; *i >= 0 && d.shard.life.Err() == nil; n++ {
		if n%progressEvery == 0 {
			d.shard.progress.Add(1)
		}
		it := &r.batch.items[*i]
		if d.fold == nil {
			d.fold = fold.New(d.key, d.shard.host.config.Region, it.program)
			d.fold.Skip(d.shard.holes())
		}
		if it.Position.After(d.fold.Position()) {
			d.apply(dec, &it.Record, it.at, it.program)
			r.folded++
		}
		*i = it.next
	}
	return -1, nil
}

// apply folds one record. fallback is the tenant's default definition at the record. It applies
// when a definition record removes the dashboard's own definition.
func (d *dashboard) apply(dec *decoding, r *messages.Record, at fold.At, fallback *fold.Program) {
	if r.Refused != "" {
		d.fold.Malformed(at, r.Refused)
		return
	}
	switch r.Kind {
	case messages.KindEvent:
		if err := dec.decoder.Decode(r.Payload, &dec.event); err != nil {
			d.fold.Malformed(at, reason(err))
			return
		}
		d.fold.Event(at, &dec.event)
	case messages.KindDefinition:
		def, err := definition.ParseRecord(r.Payload)
		if err != nil {
			d.fold.Malformed(at, "definition")
			return
		}
		p := fallback
		if def.Definition != nil {
			if p, err = d.shard.host.programs.compile(def.Definition); err != nil {
				d.fold.Malformed(at, "definition")
				return
			}
		}
		d.fold.Define(at, def, p)
	default:
		d.fold.Malformed(at, "kind")
	}
}

func reason(err error) string {
	var refusal *event.Refusal
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return "malformed"
}

// setAside restores the dashboard's state before the record, and makes it skip the record.
func (d *dashboard) setAside(it *item, caught any) {
	d.shard.host.tallies.panics.Add(1)
	d.poison = append(d.poison, it.Position)
	d.shard.host.workers.stepAside(func() {
		if err := d.rebuild(it.Position); err != nil {
			d.lose(err)
		}
	})
}

// states pools buffers for encoded states. The saver returns a buffer when its state is written.
var states = sync.Pool{New: func() any { return new([]byte) }}

// save returns the dashboard's part of a checkpoint.
func (d *dashboard) save() savingReply {
	if d.fold == nil {
		return savingReply{key: d.key, empty: true}
	}
	d.poison, d.mended = nil, false
	state := states.Get().(*[]byte)
	*state = d.fold.Append((*state)[:0])
	waits := d.fold.Deadlines(mostWaits)
	return savingReply{key: d.key, waits: waits, buffer: state, entry: checkpoint.Entry{
		Key:      d.key,
		Position: d.fold.Position(),
		Summary:  appendSummary(nil, summarise(d.key, d.standing()), waits),
		State:    *state,
	}}
}
