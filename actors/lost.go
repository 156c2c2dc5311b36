package actors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

// errLost is the answer to readers of a dashboard that could not be restored.
var errLost = errors.New("dashboard could not be brought back after a failure; the log says why")

// guard runs code for which no record is to blame if it panics, such as writing rows. It answers
// those who wait for the dashboard even after a panic: otherwise a shard would wait forever for a
// batch or a save.
func (d *dashboard) guard(what string, do func()) {
	defer func() {
		if caught := recover(); caught != nil {
			d.shard.host.tallies.panics.Add(1)
			d.lose(fmt.Errorf("%s: panic: %v\n%s", what, caught, debug.Stack()))
		}
	}()
	do()
}

// lose gives the dashboard up until it is loaded the next time, after a start or a sleep. If the
// shard ends, nothing is logged: the next shard loads the dashboard.
func (d *dashboard) lose(err error) {
	d.fold, d.lost = nil, true
	if d.shard.life.Err() != nil {
		return
	}
	d.shard.logger().Error("the dashboard is lost until it is brought up again", "dashboard", d.key.Label(), "error", err)
}

// saveLost returns a lost dashboard's part of a checkpoint. The dashboard did not fold its latest
// records, so its entry does not reach the marker. The entry contains the marker that it reaches,
// to replay from there.
func (d *dashboard) saveLost() (r savingReply) {
	d.shard.host.workers.stepAside(func() {
		e, err := d.storedBehind(d.shard.base())
		r = savingReply{key: d.key, entry: e, err: err}
	})
	return r
}

// storedBehind returns the dashboard's entry in the newest checkpoint, marked as reaching no
// further than that checkpoint.
func (d *dashboard) storedBehind(base *checkpoint.Marker) (checkpoint.Entry, error) {
	var from checkpoint.Marker
	if base != nil {
		from = *base
	}
	e, err := d.shard.host.config.Checkpoints.Get(d.shard.number, d.key)
	switch {
	case errors.Is(err, checkpoint.ErrCorrupt):
		e, from = checkpoint.Entry{}, checkpoint.Marker{} // as much as the log has of it
	case err != nil && !errors.Is(err, checkpoint.ErrNone):
		return e, err
	case isBehind(e.State):
		return e, nil
	case e.FellBack:
		if from = e.Marker; from.State == nil {
			from.Position = e.Through
		}
	}
	if len(e.Summary) == 0 {
		e.Summary = appendSummary(nil, feed.Summary{}, nil)
	}
	e.Key, e.State = d.key, appendBehind(nil, from, e.State)
	return e, nil
}

// behindFormat begins the state of an entry that does not reach its checkpoint's marker. The marker
// that it reaches follows, and then the dashboard's state, which is empty if the dashboard had
// none. No fold.Format is that high.
const behindFormat = 0xff

func isBehind(state []byte) bool { return len(state) > 0 && state[0] == behindFormat }

func appendBehind(b []byte, from checkpoint.Marker, state []byte) []byte {
	b = append(b, behindFormat)
	b = binary.BigEndian.AppendUint64(b, from.Position.Hi)
	b = binary.BigEndian.AppendUint64(b, from.Position.Lo)
	b = binary.AppendUvarint(b, uint64(len(from.State)))
	b = append(b, from.State...)
	return append(b, state...)
}

// decodeBehind decodes what appendBehind wrote. An empty state of the marker means that it is not
// known.
func decodeBehind(b []byte) (from checkpoint.Marker, state []byte, err error) {
	const fixed = 1 + 8 + 8
	if len(b) < fixed || !isBehind(b) {
		return from, nil, checkpoint.ErrCorrupt
	}
	from.Position = messages.Position{Hi: binary.BigEndian.Uint64(b[1:]), Lo: binary.BigEndian.Uint64(b[9:])}
	n, size := binary.Uvarint(b[fixed:])
	if size <= 0 || n > uint64(len(b)-fixed-size) {
		return from, nil, checkpoint.ErrCorrupt
	}
	b = b[fixed+size:]
	if n > 0 {
		from.State = b[:n]
	}
	return from, b[n:], nil
}
