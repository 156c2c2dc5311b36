package pulsar_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// inBatch encodes a message as it is stored in a batch, with the given sizes of its payload and of
// its metadata.
func inBatch(payload string, size int64, metadataSize uint32) string {
	m := pulsartest.Message(nil).Text(2, "d").Number(3, size)
	if metadataSize == 0 {
		metadataSize = uint32(len(m))
	}
	return string(binary.BigEndian.AppendUint32(nil, metadataSize)) + string(m) + payload
}

// Entries that no client library writes, with wrong counts and sizes: each is refused, once for
// each message that it announces, the process continues, what follows is read, and the same comes
// from any record on. None of them is the partition's first: that one's number tells whether older
// ones are gone.
func TestHostileEntries(t *testing.T) {
	const lz4, zlib, zstd, snappy = 1, 2, 3, 4
	c := pulsartest.Shared(t)
	l := open(t, c)
	one := func(payload string) string { return inBatch(payload, int64(len(payload)), 0) }
	batch := func(n int64) func(pulsartest.Message) pulsartest.Message {
		return func(m pulsartest.Message) pulsartest.Message { return m.Number(11, n) }
	}
	compressed := func(kind, size int64) func(pulsartest.Message) pulsartest.Message {
		return func(m pulsartest.Message) pulsartest.Message { return m.Text(6, "d").Number(8, kind).Number(9, size) }
	}
	chunk := func(uuid string, chunk, of, total int64) func(pulsartest.Message) pulsartest.Message {
		return func(m pulsartest.Message) pulsartest.Message {
			return m.Text(6, "d").Text(26, uuid).Number(27, of).Number(28, total).Number(29, chunk)
		}
	}
	many := func(why string, n int) string { return strings.TrimSpace(strings.Repeat("!"+why+" ", n)) }
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	r, err := c.Raw(pulsar.PartitionTopic(pulsar.EventsTopic(name), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// two messages: the broker holds entries back while their counts add up to 0
	good := func() {
		t.Helper()
		if err := r.Send(batch(2)(r.Metadata()), []byte(one("good")+one("good")), 2); err != nil {
			t.Fatal(err)
		}
	}
	good()
	live := reader(t, l, shard, messages.Position{})
	all := take(t, live, 2)
	for _, x := range []struct {
		what     string
		metadata func(pulsartest.Message) pulsartest.Message
		payload  string
		messages int32
		want     string
	}{
		{"a true batch", batch(2), one("x") + one("y"), 2, "d=x d=y"},
		{"more messages than there are", batch(5), one("x"), 5, many("corrupt", 5)},
		{"rubbish behind", batch(2), one("x") + "ab", 2, many("corrupt", 2)},
		{"fewer messages than there are", batch(1), one("x") + one("y"), 1, "d=x"},
		{"a batch of two bytes", batch(1), "ab", 1, "!corrupt"},
		{"a batch of nothing", batch(3), "", 3, many("corrupt", 3)},
		{"a payload beyond the end", batch(1), inBatch("x", 1000, 0), 1, "!corrupt"},
		{"a negative payload", batch(1), inBatch("x", -1, 0), 1, "!corrupt"},
		{"a huge payload", batch(1), inBatch("x", math.MaxInt32, 0), 1, "!corrupt"},
		{"metadata beyond the end", batch(1), inBatch("x", 1, 1<<20), 1, "!corrupt"},
		{"huge metadata", batch(1), inBatch("x", 1, math.MaxUint32), 1, "!corrupt"},
		{"metadata that wraps around", batch(2), inBatch("x", 1, math.MaxUint32-3) + one("y"), 2, many("corrupt", 2)},
		{"no message", batch(0), "", 1, ""},
		{"fewer than none", batch(-1), one("x"), 1, "!corrupt"},
		{"fewest", batch(math.MinInt32), one("x"), 1, "!corrupt"},
		{"more than there are places", batch(1<<16 + 1), one("x"), 1, "!too_large"},
		{"as many as can be said", batch(math.MaxInt32), one("x"), math.MaxInt32, "!too_large"},
		{"said to be a thousand", batch(2), one("x") + one("y"), 1000, "d=x d=y"},
		{"said to be none", batch(2), one("x") + one("y"), 0, "d!unstamped d!unstamped"},
		{"said to be fewer than none", batch(2), one("x") + one("y"), -5, "d!unstamped d!unstamped"},
		{"4 GB of lz4", compressed(lz4, math.MaxUint32), "x", 1, "d!too_large"},
		{"2 GB of lz4", compressed(lz4, math.MaxInt32), "x", 1, "d!too_large"},
		{"lz4 that is none", compressed(lz4, 100), "xyz", 1, "d!corrupt"},
		{"zlib that is none", compressed(zlib, 100), "xyz", 1, "d!corrupt"},
		{"zstd that is none", compressed(zstd, 100), "xyz", 1, "d!corrupt"},
		{"snappy of 4 GB", compressed(snappy, 100), "\xff\xff\xff\xff\x0f", 1, "d!too_large"},
		{"a compression of tomorrow", compressed(9, 100), "xyz", 1, "d!corrupt"},
		{"the last of two billion chunks", chunk("a", math.MaxInt32-1, math.MaxInt32, math.MaxInt32), "x", 1, "d!incomplete"},
		{"a chunk behind the last", chunk("c", 5, 3, 10), "x", 1, ""},
		{"the last chunk of one of which there is no other", chunk("d", 2, 3, 10), "x", 1, "d!incomplete"},
		{"the first of two billion chunks", chunk("e", 0, math.MaxInt32, math.MaxInt32), "x", 1, ""},
		{"a chunk before the first", chunk("f", -1, 3, 10), "x", 1, ""},
		{"chunks of a batch", func(m pulsartest.Message) pulsartest.Message { return chunk("g", 1, 2, 10)(batch(3)(m)) }, one("x"), 3, many("incomplete", 3)},
	} {
		before := len(all)
		if err := r.Send(x.metadata(r.Metadata()), []byte(x.payload), x.messages); err != nil {
			t.Fatalf("%s: the broker does not take it: %v", x.what, err)
		}
		last, err := l.Last(t.Context(), shard)
		if err != nil {
			t.Fatalf("%s: %v", x.what, err)
		}
		n := len(strings.Fields(x.want))
		all = append(all, take(t, live, n)...)
		if n > 0 && all[len(all)-1].Position != last {
			t.Errorf("%s: the last record is at %s, %s was read", x.what, last, all[len(all)-1].Position)
		}
		good()
		all = append(all, take(t, live, 2)...)
		if got, want := allShown(all[before:]), strings.TrimSpace(x.want+" d=good d=good"); got != want {
			t.Errorf("%s: got %.300s, want %.300s", x.what, got, want)
		}
		for i := before - 1; i < min(before+2, len(all)); i++ {
			again(t, l, shard, all, i)
		}
		if lag, err := l.Lag(t.Context(), shard, messages.Position{}); err != nil || lag > 1<<32 {
			t.Errorf("%s: the lag is %d, %v", x.what, lag, err)
		}
	}
	again(t, l, shard, all, -1)
}

// After the broker restarts, which begins a new ledger, a producer continues with the remaining
// chunks. A message that spans ledgers is whole wherever reading begins, and a message whose
// beginning is missing is refused.
func TestChunksOverLedgers(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	topic := pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)
	r, err := c.Raw(topic)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var all []messages.Record
	var live eventlog.Reader
	for step := range strings.FieldsSeq("good a0/2 a1/2 b0/3 good c0/2 | b1/3 good | b2/3 lost1/2 good c1/2 | good") {
		var uuid string
		var chunk, of int64
		n := 1
		switch _, err := fmt.Sscanf(strings.NewReplacer("0/", " 0 ", "1/", " 1 ", "2/", " 2 ").Replace(step), "%s %d %d", &uuid, &chunk, &of); {
		case step == "|":
			admin(t, c, "PUT", topicPath(topic)+"/unload", "")
			_ = r.Close()
			await(t, "a producer after an unload", func() bool { r, err = c.Raw(topic); return err == nil })
			continue
		case err == nil:
			m := r.Metadata().Text(6, "d").Text(26, uuid).Number(27, of).Number(28, 10).Number(29, chunk)
			if err := r.Send(m, fmt.Append(nil, uuid, chunk), 1); err != nil {
				t.Fatal(err)
			}
			if chunk < of-1 {
				n = 0
			}
		default:
			if err := r.Send(r.Metadata().Text(6, "d"), []byte(step), 1); err != nil {
				t.Fatal(err)
			}
		}
		if live == nil {
			live = reader(t, l, shard, messages.Position{})
		}
		all = append(all, take(t, live, n)...)
	}
	if got, want := allShown(all), "d=good d=a0a1 d=good d=good d=b0b1b2 d!incomplete d=good d=c0c1 d=good"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for i := range all {
		again(t, l, shard, all, i)
	}
	again(t, l, shard, all, -1)
}

// The broker stores an entry that it can't read, and sends it to nobody: readers skip it.
func TestBodiesOfRubbish(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	topic := pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)
	live := reader(t, l, shard, messages.Position{})
	p, err := c.Raw(topic)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	good := func() {
		t.Helper()
		if err := p.Send(p.Metadata().Text(6, "d"), []byte("good"), 1); err != nil {
			t.Fatal(err)
		}
	}
	good()
	all := take(t, live, 1)
	for _, body := range []string{"", "\x00\x00", "\xff\xff\xff\xff", "\x00\x00\x00\x05\x0a", "\x00\x00\x10\x00xyz", "\x7f\xff\xff\xff", "\x00\x00\x00\x02\xff\xff"} {
		r, err := c.Raw(topic)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SendBody([]byte(body), 1); err != nil {
			t.Logf("%q is not taken by the broker: %v", body, err)
		}
		_ = r.Close()
		good()
		all = append(all, take(t, live, 1)...)
		again(t, l, shard, all, len(all)-2)
	}
	if got, want := allShown(all), strings.TrimSpace(strings.Repeat("d=good ", len(all))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	again(t, l, shard, all, -1)
}

// If the counts of the entries that a broker would send at once add up to 0, it sends none of them.
// Readers find the hidden entries all the same.
func TestEntriesThatHideOthers(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	r, err := c.Raw(pulsar.PartitionTopic(pulsar.EventsTopic(name), 0))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	live := reader(t, l, shard, messages.Position{})
	var all []messages.Record
	var want []string
	send := func(metadata pulsartest.Message, payload string, shown string) {
		t.Helper()
		if err := r.Send(metadata, []byte(payload), 1); err != nil {
			t.Fatal(err)
		}
		all = append(all, take(t, live, 1)...) // alone
		want = append(want, shown)
	}
	for hidden := range 4 {
		for i := range hidden {
			send(r.Metadata().Text(6, "d"), fmt.Sprint("hidden", i), fmt.Sprint("d=hidden", i))
		}
		if hidden > 0 {
			send(r.Metadata().Number(11, int64(-hidden)), "x", "!corrupt")
		}
		const seen = 9
		if err := r.Send(r.Metadata().Number(11, seen), []byte(strings.Repeat(inBatch("seen", 4, 0), seen)), seen); err != nil {
			t.Fatal(err)
		}
		all = append(all, take(t, live, seen)...)
		want = append(want, strings.Fields(strings.Repeat("d=seen ", seen))...)
		for after := -1; after < len(all); after++ {
			again(t, l, shard, all, after)
		}
	}
	if got := allShown(all); got != strings.Join(want, " ") {
		t.Errorf("got %s, want %s", got, strings.Join(want, " "))
	}
}
