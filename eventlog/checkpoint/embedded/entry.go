package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// The first byte of a key says what the key holds. Names have no zero byte, so keys sort by name,
// then slot.
const (
	markerSpace = 'm' // shard u32, slot → a marker
	headSpace   = 'h' // shard u32, tenant, 0, dashboard, 0, slot → a stamp and a summary, for listings
	bodySpace   = 'b' // the same → a stamp, a summary and a state
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stamp is what the store knows of an entry.
type stamp struct {
	sequence uint64            // of the checkpoint that first had the entry in this state
	position messages.Position // of its last record
	through  messages.Position // not zero after a fallback: the entry is whole only up to here
}

const (
	checksumBytes = 4
	stampBytes    = 8 + 2*messages.PositionBytes
)

func shardKey(space byte, shard int) []byte {
	return binary.BigEndian.AppendUint32([]byte{space}, uint32(shard))
}

func tenantKey(space byte, shard int, tenant string) []byte {
	return append(append(shardKey(space, shard), tenant...), 0)
}

func entryKey(space byte, shard int, k messages.Key, slot int) []byte {
	b := append(tenantKey(space, shard, k.Tenant), k.Dashboard...)
	return append(b, 0, byte(slot))
}

// splitKey parses an entry's key.
func splitKey(key []byte) (k messages.Key, slot int, ok bool) {
	const front = 1 + 4
	if len(key) < front+4 || key[len(key)-2] != 0 {
		return messages.Key{}, 0, false
	}
	slot = int(key[len(key)-1])
	tenant, dashboard, ok := bytes.Cut(key[front:len(key)-2], []byte{0})
	return messages.Key{Tenant: string(tenant), Dashboard: string(dashboard)}, slot, ok && slot < 2
}

// seal prepends the checksum over key and rest to the rest.
func seal(key, value []byte) []byte {
	binary.BigEndian.PutUint32(value, checksum(key, value[checksumBytes:]))
	return value
}

func checksum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, rest)
}

// unseal checks the checksum and returns the rest.
func unseal(key, value []byte, atLeast int) ([]byte, error) {
	if len(value) < checksumBytes+atLeast {
		return nil, fmt.Errorf("%w: %d bytes, want %d or more", checkpoint.ErrCorrupt, len(value), checksumBytes+atLeast)
	}
	if binary.BigEndian.Uint32(value) != checksum(key, value[checksumBytes:]) {
		return nil, fmt.Errorf("%w: checksum does not match", checkpoint.ErrCorrupt)
	}
	return value[checksumBytes:], nil
}

func (s stamp) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, s.sequence)
	return s.through.Append(s.position.Append(b))
}

func decodeStamp(b []byte) (s stamp, rest []byte) {
	s.sequence = binary.BigEndian.Uint64(b)
	s.position, _ = messages.DecodePosition(b[8:])
	s.through, _ = messages.DecodePosition(b[8+messages.PositionBytes:])
	return s, b[stampBytes:]
}

func headValue(key []byte, s stamp, summary []byte) []byte {
	b := make([]byte, checksumBytes, checksumBytes+stampBytes+len(summary))
	return seal(key, append(s.append(b), summary...))
}

func bodyValue(key []byte, s stamp, summary, state []byte) []byte {
	b := make([]byte, checksumBytes, checksumBytes+stampBytes+binary.MaxVarintLen32+len(summary)+len(state))
	b = binary.AppendUvarint(s.append(b), uint64(len(summary)))
	return seal(key, append(append(b, summary...), state...))
}

func decodeHead(key, value []byte) (s stamp, summary []byte, err error) {
	b, err := unseal(key, value, stampBytes)
	if err != nil {
		return stamp{}, nil, err
	}
	s, summary = decodeStamp(b)
	return s, summary, nil
}

func decodeBody(key, value []byte) (s stamp, summary, state []byte, err error) {
	b, err := unseal(key, value, stampBytes+1)
	if err != nil {
		return stamp{}, nil, nil, err
	}
	s, b = decodeStamp(b)
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return stamp{}, nil, nil, fmt.Errorf("%w: summary longer than the entry", checkpoint.ErrCorrupt)
	}
	b = b[used:]
	return s, b[:n:n], b[n:], nil
}

// mark is a marker as stored.
type mark struct {
	sequence uint64
	checkpoint.Marker
}

func markerKey(shard, slot int) []byte { return append(shardKey(markerSpace, shard), byte(slot)) }

func (m mark) value(key []byte) []byte {
	b := make([]byte, checksumBytes, checksumBytes+8+messages.PositionBytes+len(m.State))
	b = binary.BigEndian.AppendUint64(b, m.sequence)
	return seal(key, append(m.Position.Append(b), m.State...))
}

func decodeMark(key, value []byte) (mark, error) {
	b, err := unseal(key, value, 8+messages.PositionBytes)
	if err != nil {
		return mark{}, err
	}
	m := mark{sequence: binary.BigEndian.Uint64(b)}
	m.Position, _ = messages.DecodePosition(b[8:])
	m.State = bytes.Clone(b[8+messages.PositionBytes:])
	return m, nil
}
