package fold

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dashfeed/dashfeed/fold/codec"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

// ErrCorrupt reports bytes that Append did not write.
var ErrCorrupt = errors.New("dashboard state is corrupt")

// Append appends the dashboard's canonical state: equal states give equal bytes, however they were
// reached. It has no checksum. The first byte is the format:
//
//	format | tenant dashboard region | epoch position | time W L M purged | accepted duplicates
//	in force | rare | seen | definition's canonical form | cells | panels | holes taken, if any
//
// Numbers are uvarints, times varints; strings and bytes follow their length. codec_panel.go
// describes the panels.
func (d *Dashboard) Append(b []byte) []byte {
	d.writeRows()
	b = append(b, Format)
	b = codec.AppendString(b, d.key.Tenant)
	b = codec.AppendString(b, d.key.Dashboard)
	b = codec.AppendString(b, d.region)
	b = binary.AppendUvarint(b, uint64(d.epoch))
	b = d.position.Append(b)
	for _, t := range []int64{d.time, d.watermark, d.lastLog, d.newest, d.purged} {
		b = binary.AppendVarint(b, t)
	}
	b = binary.AppendUvarint(b, d.accepted)
	b = binary.AppendUvarint(b, d.duplicates)
	b = d.inForce.append(b)
	b = d.rare.append(b)
	b = d.seen.append(b)
	b = codec.AppendString(b, d.program.canonical)
	b = d.set.Append(b)
	b = d.appendPanels(b)
	if d.holes > 0 {
		b = binary.AppendUvarint(b, uint64(d.holes))
	}
	return b
}

// Decode reads what Append wrote. compile returns the program of a definition's canonical form; it
// may use a cache. Bytes that Append did not write give ErrCorrupt; errors of compile are wrapped.
func Decode(b []byte, compile func(canonical []byte) (*Program, error)) (*Dashboard, error) {
	if len(b) == 0 || b[0] != Format {
		return nil, fmt.Errorf("%w: format %v, this is format %d", ErrCorrupt, b[:min(1, len(b))], Format)
	}
	r := &codec.Reader{B: b[1:]}
	k := messages.Key{Tenant: r.String(), Dashboard: r.String()}
	d := &Dashboard{key: k, region: r.String(), epoch: messages.Epoch(r.Uint32())}
	d.position = messages.Position{Hi: readBig(r), Lo: readBig(r)}
	for _, t := range []*int64{&d.time, &d.watermark, &d.lastLog, &d.newest, &d.purged} {
		*t = r.Varint()
	}
	for _, t := range []int64{d.watermark, d.lastLog, d.newest, d.purged} {
		// so that no sum with a duration overflows
		r.Check(t == messages.NoTime || -2*farthest <= t && t <= 2*farthest)
	}
	d.accepted, d.duplicates = r.Uvarint(), r.Uvarint()
	d.inForce = readInForce(r)
	d.rare = readRare(r)
	d.seen = readSeen(r)
	canonical := r.Bytes()
	if r.Failed {
		return nil, ErrCorrupt
	}
	p, err := compile(canonical)
	if err != nil {
		return nil, fmt.Errorf("compile the definition of %s: %w", k, err)
	}
	set, rest, err := cells.Decode(r.B)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	d.program, d.set, r.B = p, *set, rest
	d.rowsAt = d.set.Version()
	d.readPanels(r)
	if !r.Failed && len(r.B) > 0 {
		d.holes = r.Uint32()
		r.Check(0 < d.holes && d.holes <= MaxHoles)
	}
	if r.Failed || len(r.B) > 0 {
		return nil, ErrCorrupt
	}
	return d, nil
}

func readBig(r *codec.Reader) uint64 {
	var b [8]byte
	for i := range b {
		b[i] = r.Byte()
	}
	return binary.BigEndian.Uint64(b[:])
}

func (f *inForce) append(b []byte) []byte {
	if f == nil {
		return append(b, 0)
	}
	return appendBool(appendOrder(append(b, 1), f.Order), f.deleted)
}

func readInForce(r *codec.Reader) *inForce {
	if r.Byte() == 0 {
		return nil
	}
	return &inForce{readOrder(r), r.Byte() != 0}
}

func appendOrder(b []byte, o definition.Order) []byte {
	b = codec.AppendString(binary.AppendUvarint(b, o.Revision), o.Region)
	return binary.LittleEndian.AppendUint64(b, o.Hash)
}

func readOrder(r *codec.Reader) definition.Order {
	return definition.Order{Revision: r.Uvarint(), Region: r.String(), Hash: r.Fixed()}
}

func (x *rare) append(b []byte) []byte {
	if x == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	for _, n := range []uint64{x.invalid, x.future, x.horizon, x.metricsDropped, x.setAside} {
		b = binary.AppendUvarint(b, n)
	}
	b = x.reasons.append(b)
	b = x.late.append(b)
	return x.refused.append(b)
}

func readRare(r *codec.Reader) *rare {
	if r.Byte() == 0 {
		return nil
	}
	x := &rare{}
	for _, n := range []*uint64{&x.invalid, &x.future, &x.horizon, &x.metricsDropped, &x.setAside} {
		*n = r.Uvarint()
	}
	x.reasons = readReasons(r)
	x.late, x.refused = readListed(r), readListed(r)
	return x
}

func (l listed) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(l)))
	for _, e := range l {
		b = codec.AppendString(b, e.ID)
		b = binary.AppendVarint(b, e.Time)
		b = codec.AppendString(b, e.Metric)
		b = codec.AppendString(b, e.Reason)
		b = append(codec.AppendString(b, e.Position), byte(e.TimeHint))
	}
	return b
}

func readListed(r *codec.Reader) listed {
	const leastBytes = 6
	n := r.Count(leastBytes)
	r.Check(n <= MaxListed)
	var l listed
	for i := 0; i < n && !r.Failed; i++ {
		l = append(l, event.Listed{ID: r.String(), Time: r.Varint(), Metric: r.String(), Reason: r.String(), Position: r.String(), TimeHint: event.TimeHint(r.Byte())})
		r.Check(l[i].TimeHint.Valid())
	}
	return slices.Clip(l)
}
