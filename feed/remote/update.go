package remote

import (
	"encoding/json"
	"fmt"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote/envelope"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// schemaSeen is a schema with its hash and its text, worked out once as long as the feed gives the same one.
type schemaSeen struct {
	schema wire.Schema
	hash   uint64
	text   []byte
}

// see works out the hash of a schema. An owner gives the same slice until it changes, and nobody changes it in place.
func (s *schemaSeen) see(schema wire.Schema) {
	if s.hash != 0 && len(schema) == len(s.schema) && unsafe.SliceData(schema) == unsafe.SliceData(s.schema) {
		return
	}
	text, err := json.Marshal(schema)
	if err != nil {
		text = []byte("null") // its types marshal
	}
	*s = schemaSeen{schema, hashOf(text), text}
}

// hashOf is never 0, which stands for none.
func hashOf(text []byte) uint64 { return max(1, xxh3.Hash(text)) }

// updateOut writes an update into e, and its position into at, for one who has the schema of the hash known.
func updateOut(e *envelope.Update, at *envelope.Position, u *feed.Update, seen *schemaSeen, known uint64) {
	seen.see(u.Schema)
	e.Cells = cells.AppendUpdate(make([]byte, 0, sizeOf(u)), &u.Update)
	at.Hi, at.Lo = u.Position.Hi, u.Position.Lo
	e.Position, e.Time, e.Watermark = at, u.Time, u.Watermark
	e.Metrics, e.Reset_, e.Schema = uint32(u.Metrics), u.Reset, seen.hash
	if seen.hash != known {
		e.SchemaJson = seen.text
	}
}

// sizeOf guesses how many bytes an update takes, rather too many.
func sizeOf(u *feed.Update) int {
	const headBytes, cellBytes, removalBytes = 40, 40, 10
	n := headBytes + removalBytes*len(u.Removed)
	for i := range u.Cells {
		n += cellBytes + len(u.Cells[i].Group) + len(u.Cells[i].Row)
	}
	return n
}

// updateIn reads an update. known is the schema last seen for its dashboard, and is set to the update's.
func updateIn(e *envelope.Update, k messages.Key, known *schemaSeen) (*feed.Update, error) {
	set, rest, err := cells.DecodeUpdate(e.GetCells())
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the update of %s", len(rest), k)
	}
	switch {
	case len(e.GetSchemaJson()) > 0:
		var s wire.Schema
		if err := json.Unmarshal(e.GetSchemaJson(), &s); err != nil {
			return nil, fmt.Errorf("schema of %s: %w", k, err)
		}
		*known = schemaSeen{schema: s, hash: e.GetSchema()}
	case e.GetSchema() != known.hash:
		return nil, fmt.Errorf("update of %s has a schema that was not sent", k)
	}
	return &feed.Update{
		Update: set, Key: k, Position: positionIn(e.GetPosition()), Time: e.GetTime(), Watermark: e.GetWatermark(),
		Schema: known.schema, Metrics: int(e.GetMetrics()), Reset: e.GetReset_(),
	}, nil
}

func positionOut(p messages.Position) *envelope.Position {
	if p.IsZero() {
		return nil
	}
	return &envelope.Position{Hi: p.Hi, Lo: p.Lo}
}

func positionIn(p *envelope.Position) messages.Position {
	return messages.Position{Hi: p.GetHi(), Lo: p.GetLo()}
}
