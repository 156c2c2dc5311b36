package pulsar

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

func drawEntry(rt *rapid.T) *eventlog.Entry {
	e := &eventlog.Entry{
		Kind:    messages.Kind(rapid.IntRange(int(messages.KindEvent), int(messages.KindTick)).Draw(rt, "kind")),
		Key:     messages.Key{Tenant: "acme", Dashboard: rapid.StringMatching(`([a-z0-9][a-z0-9~:]{0,20})?`).Draw(rt, "dashboard")},
		Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "payload"),
	}
	if e.Kind == messages.KindTick {
		e.Key, e.Payload = messages.Key{}, nil
	}
	if rapid.Bool().Draw(rt, "forwarded") {
		e.Origin = messages.Origin{Partition: rapid.IntRange(0, maxOrigin-1).Draw(rt, "from"), Position: drawPlace(rt, "origin").last()}
	}
	if rapid.Bool().Draw(rt, "timed") {
		e.EventTime = rapid.Int64Range(1, math.MaxInt64).Draw(rt, "event time")
	}
	return e
}

// A packed message returns its entries, in order, each at its position, compressed or not.
func TestPacked(t *testing.T) {
	u := newUnpacker()
	defer u.close()
	rapid.Check(t, func(rt *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 1, 40).Draw(rt, "entries")
		k := newPacker(rapid.SampledFrom([]int{0, 1, 500}).Draw(rt, "compress"))
		defer k.zstd.Close()
		at := drawPlace(rt, "at")
		before := []messages.Record{{Append: 1}}
		got, err := u.records(before, k.pack(entries).Payload, "acme", at, 42)
		if err != nil || len(got) != 1+len(entries) || got[0].Append != 1 {
			rt.Fatalf("%d entries are read as %d records, %v", len(entries), len(got)-1, err)
		}
		for i, e := range entries {
			r := got[1+i]
			want := messages.Record{Position: at.at(len(entries) - 1 - i), Append: 42, Kind: e.Kind, Key: e.Key, Origin: e.Origin, EventTime: e.EventTime, Payload: e.Payload}
			if _, ok := tickTime(r.Payload); e.Kind == messages.KindTick && !ok {
				rt.Fatalf("tick %d has payload %x", i, r.Payload)
			}
			if e.Kind != messages.KindTick && !bytes.Equal(r.Payload, want.Payload) {
				rt.Fatalf("record %d has payload %q, want %q", i, r.Payload, want.Payload)
			}
			r.Payload, want.Payload = nil, nil
			if !reflect.DeepEqual(r, want) {
				rt.Fatalf("record %d:\n got %+v\nwant %+v", i, r, want)
			}
		}
	})
}

// Any payload that is marked as packed is read or refused, within bounds, and an error leaves the
// records before it unchanged.
func FuzzPacked(f *testing.F) {
	k := newPacker(0)
	f.Add(k.pack([]*eventlog.Entry{{Kind: messages.KindEvent, Key: messages.Key{Tenant: "t", Dashboard: "d"}, Payload: []byte("{}")}}).Payload)
	f.Add(newPacker(1).pack([]*eventlog.Entry{{Kind: messages.KindTick}, {Kind: messages.KindDefinition, Origin: messages.Origin{Partition: 3}, Payload: []byte("x")}}).Payload)
	f.Add([]byte{packedPlain})
	f.Add([]byte{packedZstd, 0x28, 0xb5, 0x2f, 0xfd})
	f.Add([]byte{packedPlain, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	u := newUnpacker()
	f.Fuzz(func(t *testing.T, payload []byte) {
		all, err := u.records([]messages.Record{{Append: 7}}, payload, "acme", place{ledger: 1, entry: 2}, 42)
		if err != nil && len(all) != 1 || err == nil && len(all) < 2 || all[0].Append != 7 {
			t.Fatalf("got %d records and %v", len(all), err)
		}
		for i, r := range all[1:] {
			if r.Key.Tenant != "acme" && r.Kind != messages.KindTick || r.Append != 42 {
				t.Fatalf("record %d is %+v", i, r)
			}
			if i > 0 && !r.Position.After(all[i].Position) {
				t.Fatalf("position %s follows %s", r.Position, all[i].Position)
			}
		}
	})
}

func TestOriginText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := messages.Origin{Partition: rapid.IntRange(0, maxOrigin-1).Draw(rt, "partition"), Position: drawPlace(rt, "at").last()}
		if got, err := parseOrigin(formatOrigin(o)); err != nil || got != o {
			rt.Fatalf("%+v as text is read as %+v, %v", o, got, err)
		}
	})
	for _, text := range []string{"", "3", ":", "3:", "-1:1.1", "66560:1.1", "3:1.1.1", "3:x"} {
		if o, err := parseOrigin(text); err == nil {
			t.Errorf("%q is read as %+v", text, o)
		}
	}
}
