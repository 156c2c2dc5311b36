package actors

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// load loads the dashboard from the checkpoint, once. It blocks only this actor: records wait in
// its mailbox, within the shard's credit. While the dashboard slept it had no record after the
// checkpoint's marker. So if its entry reaches the marker, nothing is left to replay.
func (d *dashboard) load() {
	if d.loaded {
		return
	}
	d.loaded = true
	d.shard.host.workers.stepAside(func() { d.guard("load", d.bringUp) })
}

func (d *dashboard) bringUp() {
	s := d.shard
	base := s.base()
	from, err := d.stored(base)
	if d.fold != nil {
		if waits := d.fold.Deadlines(mostWaits); len(waits) > 0 {
			s.tell(&woken{d.key, waits})
		}
	}
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt):
		s.host.tallies.corrupt.Add(1)
		s.logger().Error("the dashboard's checkpoint is corrupt, its history is folded anew from the log", "dashboard", d.key.Label(), "error", err)
		d.mended = true
		err = d.rebuild(base.Position)
	case err == nil && base != nil && base.Position.After(from.Position):
		s.host.tallies.corrupt.Add(1)
		s.logger().Warn("the checkpoint has less of a dashboard than of its shard: the log is read again for it",
			"dashboard", d.key.Label(), "from", from.Position, "to", base.Position)
		d.mended = true
		err = d.rebuild(base.Position)
	}
	if err != nil {
		d.lose(err)
	}
}

// stored decodes the dashboard's entry in the newest checkpoint into d.fold, nil if there is no
// entry. All the dashboard's records up to from's position are in it. A replay begins there, with
// from's state if it is known. stored returns ErrCorrupt if no slot is whole. It retries other
// errors, which mean that the store cannot be read, until the shard ends.
func (d *dashboard) stored(base *checkpoint.Marker) (from checkpoint.Marker, err error) {
	s := d.shard
	d.fold = nil
	if base == nil {
		return from, nil
	}
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		e, err := s.host.config.Checkpoints.Get(s.number, d.key)
		switch {
		case errors.Is(err, checkpoint.ErrCorrupt):
			return from, err
		case errors.Is(err, checkpoint.ErrNone):
			return *base, nil
		case err == nil:
			behind := isBehind(e.State)
			if behind {
				if from, e.State, err = decodeBehind(e.State); err != nil {
					return from, fmt.Errorf("decode how far the entry of %s goes: %w", d.key, err)
				}
			}
			if len(e.State) > 0 || !behind {
				if d.fold, err = fold.Decode(e.State, s.host.programs.compileCanonical); err != nil {
					return from, fmt.Errorf("%w: decode state of %s: %w", checkpoint.ErrCorrupt, d.key, err)
				}
				d.fold.Skip(s.holes())
			}
			switch {
			case behind:
				return from, nil
			case !e.FellBack || !base.Position.After(e.Through):
				return *base, nil
			case e.Marker.State != nil:
				return e.Marker, nil
			}
			return checkpoint.Marker{Position: e.Through}, nil
		}
		s.warn("load", "a dashboard can't be loaded, trying again", "dashboard", d.key.Label(), "error", err)
		if !eventlog.Pause(s.life, wait) {
			return from, err
		}
	}
}

// rebuild restores the dashboard as it is at a position, from the checkpoint and the records after
// it. If the checkpoint's entry is corrupt, it begins at the oldest record kept. It sets aside the
// records in d.poison, and any other record that panics.
func (d *dashboard) rebuild(upTo messages.Position) error {
	for {
		poisoned := len(d.poison)
		base := d.shard.base()
		from, err := d.stored(base)
		if err == nil || errors.Is(err, checkpoint.ErrCorrupt) {
			err = d.shard.replays.join(d.shard, &replayPart{d: d, base: base, from: from, upTo: upTo})
		}
		if len(d.poison) == poisoned {
			return err
		}
	}
}

// replayed folds one of the dashboard's records. It returns false if the record panics.
func (d *dashboard) replayed(r *messages.Record, at fold.At, h *history) (ok bool) {
	defer func() {
		if caught := recover(); caught != nil {
			d.poison = append(d.poison, r.Position)
			d.shard.logger().Error("a record makes the fold panic in a replay", "dashboard", d.key.Label(),
				"position", r.Position, "panic", fmt.Sprint(caught), "stack", string(debug.Stack()))
		}
	}()
	fallback := h.defaults.Default(d.key.Tenant)
	if d.fold == nil {
		d.fold = fold.New(d.key, d.shard.host.config.Region, fallback)
		d.fold.Skip(d.shard.holes())
	}
	if !r.Position.After(d.fold.Position()) {
		return true
	}
	dec := decodings.Get().(*decoding)
	defer decodings.Put(dec)
	if slices.Contains(d.poison, r.Position) {
		metric := ""
		if r.Kind == messages.KindEvent && dec.decoder.Decode(r.Payload, &dec.event) == nil {
			metric = strings.Clone(dec.event.Metric)
		}
		d.fold.SetAside(at, metric)
		return true
	}
	d.apply(dec, r, at, fallback)
	return true
}
