package pulsar

import (
	"fmt"
	"math"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/messages"
)

// A Position holds the ledger, counted from 1, in Hi, and in Lo
//
//	entry << 32 | index in the client's batch << 16 | sub
//
// where sub numbers the records of a packed message, so that the last record has lastSub and those
// before count down from it. A plain message is its own last record. So the position of a
// partition's last record follows from its last message's id without reading the message, and no
// position is zero.
const lastSub = math.MaxUint16

// maxPacked is the greatest number of records in one message.
const maxPacked = lastSub

// place is the place of a message in its partition.
type place struct {
	ledger, entry int64
	batch         int32
}

// placeOf converts a message id. A message that was not sent in a batch has index 0, or -1 where
// the broker names it. Messages of a batch have the places 0 to lastBatchIndex. All messages of a
// larger batch are refused, at the last place.
func placeOf(id pulsar.MessageID) (place, error) {
	return placeIn(id.LedgerID(), id.EntryID(), id.BatchIdx())
}

func placeIn(ledger, entry int64, batch int32) (place, error) {
	p := place{ledger, entry, min(max(0, batch), lastBatchIndex)}
	if p.ledger < 0 || p.entry < 0 || p.entry > math.MaxUint32 {
		return p, fmt.Errorf("message id %d:%d:%d is beyond what a position can hold: entries up to %d", ledger, entry, batch, uint32(math.MaxUint32))
	}
	return p, nil
}

// lastBatchIndex is the last place in a batch.
const lastBatchIndex = math.MaxUint16

// at returns the position of the record that has after records behind it in the message.
func (p place) at(after int) messages.Position {
	return messages.Position{Hi: uint64(p.ledger) + 1, Lo: uint64(p.entry)<<32 | uint64(p.batch)<<16 | uint64(lastSub-after)}
}

// last returns the position of the message's last record.
func (p place) last() messages.Position { return p.at(0) }

// id returns the message's id, from which a Reader starts exactly.
func (p place) id() pulsar.MessageID { return pulsar.NewMessageID(p.ledger, p.entry, p.batch, 0) }

// compare orders messages of one partition.
func (p place) compare(q place) int { return p.last().Compare(q.last()) }

// placeAt returns the place of the message that holds the position. The position must not be zero.
func placeAt(p messages.Position) place {
	return place{ledger: int64(p.Hi) - 1, entry: int64(p.Lo >> 32), batch: int32(p.Lo >> 16 & math.MaxUint16)}
}
