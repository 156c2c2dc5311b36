package pulsar

import (
	"cmp"
	"math"
	"testing"

	"github.com/apache/pulsar-client-go/pulsar"
	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/messages"
)

func drawPlace(rt *rapid.T, name string) place {
	return place{
		ledger: rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, math.MaxInt64-1)).Draw(rt, name+" ledger"),
		entry:  rapid.OneOf(rapid.Int64Range(0, 3), rapid.Int64Range(0, math.MaxUint32)).Draw(rt, name+" entry"),
		batch:  int32(rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, math.MaxUint16)).Draw(rt, name+" batch")),
	}
}

// Positions are never zero, identify their message, and sort like the messages and the records in
// them.
func TestPositions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p, q := drawPlace(rt, "p"), drawPlace(rt, "q")
		m, n := rapid.IntRange(0, maxPacked-1).Draw(rt, "m"), rapid.IntRange(0, maxPacked-1).Draw(rt, "n")
		if p.at(m).IsZero() || placeAt(p.at(m)) != p {
			rt.Fatalf("%+v with %d after it is at %s, which is read as %+v", p, m, p.at(m), placeAt(p.at(m)))
		}
		if got, err := placeOf(p.id()); err != nil || got != p {
			rt.Fatalf("%+v as an id is read as %+v, %v", p, got, err)
		}
		want := cmp.Or(cmp.Compare(p.ledger, q.ledger), cmp.Compare(p.entry, q.entry), cmp.Compare(p.batch, q.batch), cmp.Compare(n, m))
		if got := p.at(m).Compare(q.at(n)); got != want {
			rt.Fatalf("%s and %s compare as %d, want %d", p.at(m), q.at(n), got, want)
		}
		if p.compare(q) != cmp.Or(cmp.Compare(p.ledger, q.ledger), cmp.Compare(p.entry, q.entry), cmp.Compare(p.batch, q.batch)) {
			rt.Fatalf("%+v and %+v compare as %d", p, q, p.compare(q))
		}
	})
}

// For a message that was not sent in a batch, the broker names the last message without a batch
// index, and a Reader gives it index 0.
func TestPositionOfLast(t *testing.T) {
	named, err := placeOf(pulsar.NewMessageID(7, 8, -1, 3))
	read, err2 := placeOf(pulsar.NewMessageID(7, 8, 0, 0))
	if err != nil || err2 != nil || named.last() != read.last() {
		t.Errorf("named %s, %v; read %s, %v", named.last(), err, read.last(), err2)
	}
	if want := (messages.Position{Hi: 8, Lo: 8<<32 | 0xffff}); named.last() != want {
		t.Errorf("got %s, want %s", named.last(), want)
	}
}

func TestPositionBounds(t *testing.T) {
	for _, id := range []pulsar.MessageID{
		pulsar.EarliestMessageID(), pulsar.LatestMessageID(),
		pulsar.NewMessageID(1, math.MaxUint32+1, 0, 0),
	} {
		if p, err := placeOf(id); err == nil {
			t.Errorf("id %s is taken for %+v", id, p)
		}
	}
	if p, err := placeOf(pulsar.NewMessageID(1, 1, math.MaxUint16+1, 0)); err != nil || p.batch != lastBatchIndex {
		t.Errorf("a message beyond a batch's places is at %+v, %v", p, err)
	}
}
