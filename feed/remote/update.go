package remote

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// schemaSeen is a schema with its hash and its text. They are computed once, as long as the feed
// returns the same schema.
type schemaSeen struct {
	schema wire.Schema
	hash   uint64
	text   []byte
}

// see computes the hash of a schema. An owner returns the same slice until the schema changes, and
// nobody changes it in place.
func (s *schemaSeen) see(schema wire.Schema) {
	if s.hash != 0 && len(schema) == len(s.schema) && unsafe.SliceData(schema) == unsafe.SliceData(s.schema) {
		return
	}
	text, err := json.Marshal(schema)
	if err != nil {
		text = []byte("null") // cannot happen: its types marshal
	}
	*s = schemaSeen{schema, hashOf(text), text}
}

// hashOf never returns 0, which means none.
func hashOf(text []byte) uint64 { return max(1, xxh3.Hash(text)) }

// appendUpdate appends an update for a receiver that has the schema with the hash known. The cells
// come last.
func appendUpdate(b []byte, u *feed.Update, seen *schemaSeen, known uint64) []byte {
	seen.see(u.Schema)
	b = appendPosition(b, u.Position)
	b = binary.AppendVarint(b, u.Time)
	b = binary.AppendVarint(b, u.Watermark)
	b = binary.AppendUvarint(b, uint64(u.Metrics))
	b = appendFlag(b, u.Reset)
	b = binary.BigEndian.AppendUint64(b, seen.hash)
	if seen.hash == known {
		b = appendText(b, "")
	} else {
		b = appendText(b, seen.text)
	}
	return cells.AppendUpdate(b, &u.Update)
}

// readUpdate reads an update. known is the last schema seen for its dashboard; readUpdate sets it
// to the update's.
func readUpdate(r *reader, k messages.Key, known *schemaSeen) (*feed.Update, error) {
	u := &feed.Update{Key: k, Position: readPosition(r), Time: r.varint(), Watermark: r.varint(), Metrics: int(r.uvarint()), Reset: r.flag()}
	hash, text := r.fixed(), r.bytes()
	if r.failed {
		return nil, errItem
	}
	switch {
	case len(text) > 0:
		var s wire.Schema
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", k, err)
		}
		*known = schemaSeen{schema: s, hash: hash}
	case hash != known.hash:
		return nil, fmt.Errorf("update of %s: its schema was not sent", k)
	}
	var err error
	if u.Update, _, err = cells.DecodeUpdate(r.b); err != nil {
		return nil, fmt.Errorf("update of %s: %w", k, err)
	}
	u.Schema = known.schema
	return u, nil
}

// sizeOf estimates how many bytes an update takes, rather too many than too few.
func sizeOf(u *feed.Update) int {
	const headBytes, cellBytes, removalBytes = 40, 40, 10
	n := headBytes + removalBytes*len(u.Removed)
	for i := range u.Cells {
		n += cellBytes + len(u.Cells[i].Group) + len(u.Cells[i].Row)
	}
	return n
}

func appendPosition(b []byte, p messages.Position) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, p.Hi), p.Lo)
}

func readPosition(r *reader) messages.Position {
	return messages.Position{Hi: r.uvarint(), Lo: r.uvarint()}
}
