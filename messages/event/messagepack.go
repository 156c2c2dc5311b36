package event

import (
	"math"
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// FromMessagePack reads a body that is a map, an array of maps or a sequence of these. It yields
// each event as JSON, in order, counted from 0, until yield returns false; the payloads stay valid
// afterwards. It yields an element that JSON cannot represent with err, a *Refusal, and an element
// that is not a map as it is, for Decode to refuse. A body that is not MessagePack, or that needs
// more than limit bytes of JSON, is a *BodyError; then nothing yielded before counts.
//
// Numbers that are not finite become 1e999, which a dashboard judges invalid. Timestamps become ms,
// bin becomes a string, and an integer key becomes its text.
func FromMessagePack(body []byte, limit int, yield func(index int, payload []byte, err error) bool) error {
	p := packed{out: make([]byte, 0, min(limit, len(body)*3/2+64)), limit: limit, yield: yield}
	for len(body) > 0 {
		n := uint32(1)
		if msgp.NextType(body) == msgp.ArrayType {
			var err error
			if n, body, err = msgp.ReadArrayHeaderBytes(body); err != nil {
				return unreadablePack(err)
			}
		}
		for range n {
			rest, err := msgp.Skip(body)
			if err != nil {
				return unreadablePack(err)
			}
			more, err := p.event(body[:len(body)-len(rest)])
			if err != nil || !more {
				return err
			}
			body = rest
		}
	}
	return nil
}

func unreadablePack(err error) error {
	return &BodyError{Message: "the body is not MessagePack: " + err.Error()}
}

// packed converts MessagePack values to JSON.
type packed struct {
	out   []byte
	start int // where the current event begins in out
	limit int
	index int
	yield func(int, []byte, error) bool

	size  int    // of the current event, in bytes
	bad   int    // where one of its texts is not UTF-8
	field string // the path to the member with that text
}

func (p *packed) event(b []byte) (more bool, err error) {
	p.start = len(p.out)
	p.size, p.field = len(b), ""
	_, r := p.value(b, MaxNesting)
	if r == refusedText {
		r = refuseText(notUTF8Byte(b[p.bad]), p.bad, p.field)
	}
	if r == nil && len(p.out)-p.start > MaxBytes {
		r = refusedBytes
	}
	if r != nil {
		p.out = p.out[:p.start]
		more = p.yield(p.index, nil, r)
	} else {
		if len(p.out) > p.limit {
			return false, &BodyError{TooLarge: true, Message: "the body is more than " + strconv.Itoa(p.limit) + " bytes as JSON"}
		}
		more = p.yield(p.index, p.out[p.start:len(p.out):len(p.out)], nil)
	}
	p.index++
	return more, nil
}

// value appends the first value of b and returns what follows it. msgp.Skip has already passed over
// it, so its lengths are right.
func (p *packed) value(b []byte, room int) ([]byte, *Refusal) {
	if len(p.out)-p.start > MaxBytes {
		return nil, refusedBytes
	}
	var err error
	switch t := msgp.NextType(b); t {
	case msgp.MapType, msgp.ArrayType:
		if room == 0 {
			return nil, refusedNesting
		}
		if t == msgp.MapType {
			return p.object(b, room-1)
		}
		return p.array(b, room-1)
	case msgp.StrType, msgp.BinType:
		return p.text(b)
	case msgp.NilType:
		p.out = append(p.out, "null"...)
		b, err = msgp.ReadNilBytes(b)
	case msgp.BoolType:
		var v bool
		v, b, err = msgp.ReadBoolBytes(b)
		p.out = strconv.AppendBool(p.out, v)
	case msgp.TimeType, msgp.ExtensionType, msgp.Complex64Type, msgp.Complex128Type, msgp.InvalidType:
		return p.time(b) // msgp mistakes a timestamp at the very end of its input for another extension
	default:
		return p.number(b, t)
	}
	return b, broken(err)
}

func (p *packed) number(b []byte, t msgp.Type) ([]byte, *Refusal) {
	var err error
	switch t {
	case msgp.IntType:
		var v int64
		v, b, err = msgp.ReadInt64Bytes(b)
		p.out = strconv.AppendInt(p.out, v, 10)
	case msgp.UintType:
		var v uint64
		v, b, err = msgp.ReadUint64Bytes(b)
		p.out = strconv.AppendUint(p.out, v, 10)
	case msgp.Float32Type:
		var v float32
		v, b, err = msgp.ReadFloat32Bytes(b)
		p.out = appendNumber(p.out, float64(v), 32)
	default:
		var v float64
		v, b, err = msgp.ReadFloat64Bytes(b)
		p.out = appendNumber(p.out, v, 64)
	}
	return b, broken(err)
}

func (p *packed) text(b []byte) ([]byte, *Refusal) {
	var v []byte
	var err error
	if msgp.NextType(b) == msgp.BinType {
		v, b, err = msgp.ReadBytesZC(b)
	} else {
		v, b, err = msgp.ReadStringZC(b)
	}
	if len(v) > MaxBytes {
		return nil, refusedBytes
	}
	if at := notUTF8(v); at >= 0 {
		p.bad = p.size - len(b) - len(v) + at
		return nil, refusedText
	}
	p.out = AppendString(p.out, alias(v))
	return b, broken(err)
}

func (p *packed) time(b []byte) ([]byte, *Refusal) {
	t, b, err := msgp.ReadTimeBytes(b)
	if err != nil {
		return nil, refuse(ReasonMalformed, "a MessagePack extension other than the timestamp is not allowed")
	}
	if s := t.Unix(); s < -MaxTime/1000 || s > MaxTime/1000 {
		p.out = appendNumber(p.out, math.Inf(1), 64)
	} else {
		p.out = strconv.AppendInt(p.out, t.UnixMilli(), 10)
	}
	return b, nil
}

func (p *packed) array(b []byte, room int) ([]byte, *Refusal) {
	n, b, err := msgp.ReadArrayHeaderBytes(b)
	r := broken(err)
	p.out = append(p.out, '[')
	for i := uint32(0); i < n && r == nil; i++ {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		b, r = p.value(b, room)
	}
	p.out = append(p.out, ']')
	return b, r
}

func (p *packed) object(b []byte, room int) ([]byte, *Refusal) {
	n, b, err := msgp.ReadMapHeaderBytes(b)
	r := broken(err)
	p.out = append(p.out, '{')
	for i := uint32(0); i < n && r == nil; i++ {
		if i > 0 {
			p.out = append(p.out, ',')
		}
		key := len(p.out)
		if b, r = p.key(b); r == nil {
			p.out = append(p.out, ':')
			name := p.out[key : len(p.out)-1]
			if b, r = p.value(b, room); r == refusedText {
				p.within(name)
			}
		}
	}
	p.out = append(p.out, '}')
	return b, r
}

// within puts a member's name, given as JSON, in front of the path.
func (p *packed) within(name []byte) {
	path := shown(strings.Trim(string(name), `"`))
	if p.field != "" {
		path += "." + p.field
	}
	p.field = path
}

func (p *packed) key(b []byte) ([]byte, *Refusal) {
	switch t := msgp.NextType(b); t {
	case msgp.StrType, msgp.BinType:
		return p.text(b)
	case msgp.IntType, msgp.UintType:
		p.out = append(p.out, '"')
		b, r := p.number(b, t)
		p.out = append(p.out, '"')
		return b, r
	default:
		return nil, refuse(ReasonMalformed, "a map's key is of type %s, it must be a string or a whole number", t)
	}
}

func broken(err error) *Refusal {
	if err == nil {
		return nil
	}
	return refuse(ReasonMalformed, "not MessagePack: %v", err)
}
