package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// Keys begin with their space, and in the space of generations with the generation. So records of
// all partitions arrive almost in the order of their keys, and Pebble moves whole files down its
// levels instead of merging each with all earlier ones. For the same reason chunks are in their
// generation, and floors come first: they are written together with the deletes at the old end. All
// numbers are big endian, so that keys sort as numbers.
const (
	floorSpace      = 'f' // partition u16 → what was trimmed
	generationSpace = 'g' // generation u32, then one of:
	chunkKind       = 'c' // partition u16, sequence u64 → a chunk that begins there
	recordKind      = 'r' // partition u16, sequence u64 → a record
)

const (
	keyBytes     = 1 + 4 + 1 + 2 + 8
	headBytes    = 4 + 1 + 8 + 1 + 1 // checksum, kind, append time, lengths of the two names
	maxNameBytes = 255
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendKey(b []byte, generation uint32, kind byte, partition int, sequence uint64) []byte {
	b = binary.BigEndian.AppendUint32(append(b, generationSpace), generation)
	b = binary.BigEndian.AppendUint16(append(b, kind), uint16(partition))
	return binary.BigEndian.AppendUint64(b, sequence)
}

func splitKey(key []byte) (generation uint32, kind byte, partition int) {
	return binary.BigEndian.Uint32(key[1:]), key[5], int(binary.BigEndian.Uint16(key[6:]))
}

func sequenceOf(key []byte) uint64 { return binary.BigEndian.Uint64(key[len(key)-8:]) }

func recordBytes(e *eventlog.Entry) int {
	return headBytes + len(e.Key.Tenant) + len(e.Key.Dashboard) + len(e.Payload)
}

// putRecord fills value, which has recordBytes(e) bytes. The checksum covers the key too: a record
// under another record's key is as corrupt as a flipped bit.
func putRecord(key, value []byte, e *eventlog.Entry, appendTime int64) {
	value[4] = byte(e.Kind)
	binary.BigEndian.PutUint64(value[5:], uint64(appendTime))
	value[13] = byte(len(e.Key.Tenant))
	value[14] = byte(len(e.Key.Dashboard))
	n := headBytes
	n += copy(value[n:], e.Key.Tenant)
	n += copy(value[n:], e.Key.Dashboard)
	copy(value[n:], e.Payload)
	binary.BigEndian.PutUint32(value, checksum(key, value[4:]))
}

func checksum(key, rest []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, key), castagnoli, rest)
}

var errShort = errors.New("shorter than its own lengths say")

// names returns the lengths and the bytes of tenant and dashboard; equal keys have equal names.
func names(value []byte) []byte {
	return value[13 : headBytes+int(value[13])+int(value[14])]
}

func keyOf(names []byte) messages.Key {
	s := string(names[2:])
	return messages.Key{Tenant: s[:names[0]], Dashboard: s[names[0]:]}
}

// checkRecord reports whether value is what putRecord wrote at key.
func checkRecord(key, value []byte) error {
	if len(value) < headBytes || len(value) < headBytes+int(value[13])+int(value[14]) {
		return errShort
	}
	if binary.BigEndian.Uint32(value) != checksum(key, value[4:]) {
		return errors.New("checksum does not match")
	}
	return nil
}

func appendTimeOf(value []byte) int64 { return int64(binary.BigEndian.Uint64(value[5:])) }
