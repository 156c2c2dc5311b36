package pulsar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/klauspost/compress/zstd"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// A packed message holds several records of one partition that are stored together or not at all.
// Its payload is
//
//	version   1 byte: 1 plain, 2 the rest is one zstd frame
//	records   kind 1 byte (bit 7: forwarded, bit 6: with an event time), dashboard, [origin: partition, Hi, Lo], [event time], payload
//
// with strings and payloads behind their length, and all numbers as varints. The tenant is the
// topic's.
const (
	packedPlain = 1
	packedZstd  = 2

	forwardedBit = 0x80
	eventTimeBit = 0x40

	maxUnpackedBytes = 64 << 20 // of the records in one message, after decompression
)

var errPacked = errors.New("the packed message is not in a form that this version writes")

// appendPacked appends one record.
func appendPacked(b []byte, e *eventlog.Entry) []byte {
	kind := byte(e.Kind)
	if e.Origin != (messages.Origin{}) {
		kind |= forwardedBit
	}
	if e.EventTime > 0 {
		kind |= eventTimeBit
	}
	payload := e.Payload
	if e.Kind == messages.KindTick {
		payload = tickPayload(time.Now())
	}
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(e.Key.Dashboard)))
	b = append(b, e.Key.Dashboard...)
	if kind&forwardedBit != 0 {
		b = binary.AppendUvarint(b, uint64(e.Origin.Partition))
		b = binary.AppendUvarint(b, e.Origin.Position.Hi)
		b = binary.AppendUvarint(b, e.Origin.Position.Lo)
	}
	if kind&eventTimeBit != 0 {
		b = binary.AppendUvarint(b, uint64(e.EventTime))
	}
	b = binary.AppendUvarint(b, uint64(len(payload)))
	return append(b, payload...)
}

// unpacker reads packed messages. Its result is valid until its next call.
type unpacker struct {
	zstd *zstd.Decoder
}

func newUnpacker() *unpacker {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpackedBytes))
	if err != nil {
		panic(err) // the options are constants
	}
	return &unpacker{zstd: d}
}

func (u *unpacker) close() { u.zstd.Close() }

// records appends the message's records to all, with the positions, the append time and the tenant
// of their message. Keys and payloads alias payload, which must not change, or a buffer made for
// this message. After an error all is unchanged.
func (u *unpacker) records(all []messages.Record, payload []byte, tenant string, p place, appendTime int64) ([]messages.Record, error) {
	body, err := u.body(payload)
	if err != nil {
		return all, err
	}
	begin := len(all)
	for len(body) > 0 {
		r := messages.Record{Append: appendTime, Key: messages.Key{Tenant: tenant}}
		if body, err = unpack(body, &r); err != nil || len(all)-begin == maxPacked {
			return all[:begin], errPacked
		}
		all = append(all, r)
	}
	if len(all) == begin {
		return all, errPacked
	}
	for i := begin; i < len(all); i++ {
		all[i].Position = p.at(len(all) - 1 - i)
	}
	return all, nil
}

func (u *unpacker) body(payload []byte) ([]byte, error) {
	switch {
	case len(payload) > 0 && payload[0] == packedPlain:
		return payload[1:], nil
	case len(payload) > 0 && payload[0] == packedZstd:
		body, err := u.zstd.DecodeAll(payload[1:], nil)
		if err != nil {
			return nil, fmt.Errorf("packed message: %w", err)
		}
		return body, nil
	}
	return nil, errPacked
}

// unpack decodes one record from the front of b and returns the rest.
func unpack(b []byte, r *messages.Record) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, errPacked
	}
	kind := b[0]
	r.Kind = messages.Kind(kind &^ (forwardedBit | eventTimeBit))
	if r.Kind < messages.KindEvent || r.Kind > messages.KindTick {
		return nil, errPacked
	}
	dashboard, b, ok := cutBytes(b[1:])
	r.Key.Dashboard = stringOf(dashboard)
	if !ok || r.Key.Dashboard != "" && !messages.ValidName(r.Key.Dashboard) {
		return nil, errPacked
	}
	if kind&forwardedBit != 0 {
		var numbers [3]uint64
		for i := range numbers {
			v, n := binary.Uvarint(b)
			if n <= 0 {
				return nil, errPacked
			}
			numbers[i], b = v, b[n:]
		}
		if numbers[0] >= maxOrigin {
			return nil, errPacked
		}
		r.Origin = messages.Origin{Partition: int(numbers[0]), Position: messages.Position{Hi: numbers[1], Lo: numbers[2]}}
	}
	if kind&eventTimeBit != 0 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > math.MaxInt64 {
			return nil, errPacked
		}
		r.EventTime, b = int64(v), b[n:]
	}
	if r.Payload, b, ok = cutBytes(b); !ok {
		return nil, errPacked
	}
	if r.Kind == messages.KindTick {
		r.Key = messages.Key{}
		if _, ok := tickTime(r.Payload); !ok {
			return nil, errPacked
		}
	}
	return b, nil
}

// cutBytes cuts bytes that follow their length.
func cutBytes(b []byte) (v, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return b[size:end:end], b[end:], true
}

// stringOf returns the bytes as a string without a copy: nobody writes a message's bytes again.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
