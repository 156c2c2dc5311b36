package pulsar

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// A message is a piece of a dashboard's entry, or of a marker, in a slot:
//
//	key      tenant/dashboard/slot, or /slot for the marker; from the second piece on #number follows
//	payload  checksum u32 | version | sequence | prior | piece | pieces | bytes…
//
// The checksum is CRC-32C over the key and the rest; the four numbers are varints. Sequence is the
// number of the checkpoint that wrote the message; prior is that of the entry it replaces, if that
// one counts under the slot's marker, and 0 if there is none. The pieces of one sequence together
// are a packed body: 0 and the body, or 1 and the body in zstd.
//
//	entry    position (16) | length of summary (varint) | summary | state
//	marker   position (16) | entries in the slot (varint) | digest of them (u64) | state
//
// An empty payload deletes its key.
const (
	formatVersion = 1
	pieceBytes    = 64 << 10
	maxBodyBytes  = embedded.MaxEntryBytes + 64
	maxPieces     = maxBodyBytes/pieceBytes + 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// address is a message's place in the topic: its dashboard, or the marker, and the slot.
type address struct {
	key    messages.Key
	marker bool
	slot   int
	piece  int
}

// base returns the key of the first piece.
func base(k messages.Key, slot int) string {
	return k.Tenant + "/" + k.Dashboard + "/" + strconv.Itoa(slot)
}

func markerBase(slot int) string { return "/" + strconv.Itoa(slot) }

// pieceKey returns the key of a further piece. No name contains a #.
func pieceKey(base string, piece int) string {
	if piece == 0 {
		return base
	}
	return base + "#" + strconv.Itoa(piece)
}

func parseKey(s string) (a address, ok bool) {
	s, number, several := strings.Cut(s, "#")
	if several {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 || n >= maxPieces {
			return a, false
		}
		a.piece = int(n)
	}
	cut := len(s) - 2
	if cut < 0 || s[cut] != '/' || s[cut+1] != '0' && s[cut+1] != '1' {
		return a, false
	}
	a.slot = int(s[cut+1] - '0')
	if cut == 0 {
		a.marker = true
		return a, true
	}
	tenant, dashboard, _ := strings.Cut(s[:cut], "/")
	a.key = messages.Key{Tenant: tenant, Dashboard: dashboard}
	return a, a.key.Valid()
}

// piece is a decoded payload.
type piece struct {
	sequence, prior uint32
	number, of      int
	bytes           []byte
}

func appendPiece(b []byte, key string, p piece) []byte {
	begin := len(b)
	b = append(b, 0, 0, 0, 0, formatVersion)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.sequence)), uint64(p.prior))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(p.number)), uint64(p.of))
	b = append(b, p.bytes...)
	binary.BigEndian.PutUint32(b[begin:], checksum(key, b[begin+crc32.Size:]))
	return b
}

func checksum(key string, rest []byte) uint32 {
	return crc32.Update(crc32.Update(0, castagnoli, []byte(key)), castagnoli, rest)
}

func decodePiece(key string, payload []byte) (p piece, err error) {
	if len(payload) < crc32.Size+1 || binary.BigEndian.Uint32(payload) != checksum(key, payload[crc32.Size:]) {
		return p, fmt.Errorf("message %s: %w: its checksum does not match", key, checkpoint.ErrCorrupt)
	}
	b := payload[crc32.Size:]
	if b[0] != formatVersion {
		return p, fmt.Errorf("message %s: %w: format %d, this binary knows %d: start a newer one to read it", key, checkpoint.ErrCorrupt, b[0], formatVersion)
	}
	b = b[1:]
	var numbers [4]uint64
	for i, most := range []uint64{math.MaxUint32, math.MaxUint32, maxPieces - 1, maxPieces} {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > most {
			return p, fmt.Errorf("message %s: %w: its numbers are not allowed", key, checkpoint.ErrCorrupt)
		}
		numbers[i], b = n, b[used:]
	}
	p = piece{sequence: uint32(numbers[0]), prior: uint32(numbers[1]), number: int(numbers[2]), of: int(numbers[3]), bytes: b}
	if p.number >= p.of || p.sequence == 0 {
		return p, fmt.Errorf("message %s: %w: piece %d of %d of sequence %d", key, checkpoint.ErrCorrupt, p.number, p.of, p.sequence)
	}
	return p, nil
}

func appendEntry(b []byte, e checkpoint.Entry) []byte {
	b = binary.AppendUvarint(e.Position.Append(b), uint64(len(e.Summary)))
	return append(append(b, e.Summary...), e.State...)
}

// decodeEntry returns an entry that shares the bytes of b.
func decodeEntry(k messages.Key, b []byte) (e checkpoint.Entry, err error) {
	e.Key = k
	if e.Position, err = messages.DecodePosition(b); err != nil {
		return e, fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	b = b[messages.PositionBytes:]
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return e, fmt.Errorf("%w: summary longer than the entry", checkpoint.ErrCorrupt)
	}
	b = b[used:]
	e.Summary, e.State = b[:n:n], b[n:]
	return e, nil
}

// mark is a marker: what counts in a slot.
type mark struct {
	sequence uint32
	checkpoint.Marker
	tally
}

// tally is a count and a digest of the entries of a slot with their sequences, in any order.
type tally struct {
	entries int
	digest  uint64
}

// add adds the entry with that name; less removes it.
func (t *tally) add(name uint64, sequence uint32)  { t.entries++; t.digest += mix(name, sequence) }
func (t *tally) less(name uint64, sequence uint32) { t.entries--; t.digest -= mix(name, sequence) }

func mix(name uint64, sequence uint32) uint64 {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], name)
	binary.BigEndian.PutUint32(b[8:], sequence)
	return xxh3.Hash(b[:])
}

// nameOf returns a hash that identifies a dashboard.
func nameOf(k messages.Key) uint64 { return xxh3.HashString(k.Tenant + "/" + k.Dashboard) }

func appendMark(b []byte, m mark) []byte {
	b = binary.AppendUvarint(m.Position.Append(b), uint64(m.entries))
	return append(binary.BigEndian.AppendUint64(b, m.digest), m.State...)
}

func decodeMark(sequence uint32, b []byte) (m mark, err error) {
	m.sequence = sequence
	if m.Position, err = messages.DecodePosition(b); err != nil {
		return m, fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
	}
	b = b[messages.PositionBytes:]
	n, used := binary.Uvarint(b)
	if used <= 0 || n > math.MaxInt32 || len(b)-used < 8 {
		return m, fmt.Errorf("%w: marker of %d bytes", checkpoint.ErrCorrupt, len(b))
	}
	m.entries, m.digest = int(n), binary.BigEndian.Uint64(b[used:])
	m.State = append([]byte(nil), b[used+8:]...)
	return m, nil
}
