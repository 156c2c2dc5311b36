package entries

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"testing"
)

// stored returns the frame of the entry 1:place with that metadata.
func stored(place int, metadata pack, payload string) frame {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(metadata)))
	body = append(append(body, metadata...), payload...)
	index := pack(nil).number(1, 1000).number(2, uint64(place))
	b := binary.BigEndian.AppendUint16(nil, magicBroker)
	b = binary.BigEndian.AppendUint32(b, uint32(len(index)))
	b = append(b, index...)
	b = binary.BigEndian.AppendUint16(b, magicChecksum)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(body, castagnoli))
	id := pack(nil).number(1, 1).number(2, uint64(place))
	return frame{kind: cmdMessage, body: pack(nil).number(1, consumer).bytes(2, id), rest: append(b, body...)}
}

func plain(producer string) pack { return pack(nil).text(1, producer).number(2, 1).number(3, 5) }

func single1(payload string) string {
	m := pack(nil).text(2, "d").number(3, uint64(len(payload)))
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(m)))) + string(m) + payload
}

func entryOf(t *testing.T, f frame) *Entry {
	t.Helper()
	e, err := readEntry(f)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func shown(all []Message) string {
	var words []string
	for _, m := range all {
		words = append(words, fmt.Sprintf("%d:%s%s!%s", m.Batch, m.Key, m.Payload, m.Refused))
	}
	return strings.Join(words, " ")
}

// An entry yields its messages, or says why it can't: it never panics and never yields part of a
// batch.
func TestMessages(t *testing.T) {
	key := func(p pack) pack { return p.text(6, "d") }
	batch := func(n uint64) pack { return plain("p").number(11, n) }
	for _, x := range []struct {
		what     string
		metadata pack
		payload  string
		want     string
	}{
		{"plain", key(plain("p")), "x", "0:dx!"},
		{"empty", key(plain("p")), "", "0:d!"},
		{"null", key(plain("p")).number(25, 1), "x", "0:d!"},
		{"encrypted", key(plain("p")).bytes(13, nil), "x", "0:d!encrypted"},
		{"an encrypted batch", batch(2).bytes(13, nil), "x", "0:!encrypted 1:!encrypted"},
		{"a batch", batch(2), single1("x") + single1("y"), "0:dx! 1:dy!"},
		{"a batch that ends early", batch(3), single1("x") + single1("y"), "0:!corrupt 1:!corrupt 2:!corrupt"},
		{"a batch of rubbish", batch(1), "xy", "0:!corrupt"},
		{"a batch with a size beyond its end", batch(1), "\xff\xff\xff\xffrubbish", "0:!corrupt"},
		{"a batch of none", batch(0), "", ""},
		{"a batch of fewer than none", batch(math.MaxUint64), "", "0:!corrupt"},
		{"a batch of more than there are places", batch(MaxBatch + 1), "", "65535:!too_large"},
		{"a compression that is none", key(plain("p")).number(8, 9).number(9, 5), "x", "0:d!corrupt"},
		{"broken lz4", key(plain("p")).number(8, withLZ4).number(9, 5), "x", "0:d!corrupt"},
		{"broken zlib", key(plain("p")).number(8, withZlib).number(9, 5), "x", "0:d!corrupt"},
		{"broken zstd", key(plain("p")).number(8, withZstd).number(9, 5), "x", "0:d!corrupt"},
		{"broken snappy", key(plain("p")).number(8, withSnappy).number(9, 5), "x", "0:d!corrupt"},
		{"4 GB of lz4", key(plain("p")).number(8, withLZ4).number(9, 1<<32-1), "x", "0:d!too_large"},
	} {
		e := entryOf(t, stored(7, x.metadata, x.payload))
		if got := shown(e.Messages(nil)); got != x.want || e.Entry != 7 || *e.Index != 7 || e.Broker != 1000 {
			t.Errorf("%s: %.100q at %d, number %d, %d; want %q", x.what, got, e.Entry, *e.Index, e.Broker, x.want)
		}
	}
	bad := stored(7, plain("p"), "x")
	bad.rest[len(bad.rest)-1]++
	if got := shown(entryOf(t, bad).Messages(nil)); got != "0:!corrupt" {
		t.Errorf("a checksum that does not fit: %q", got)
	}
}

// Chunks of several messages that interleave make whole messages; a chunk that makes none is
// reported.
func TestAssembler(t *testing.T) {
	large := strings.Repeat("x", 3<<20)
	for _, x := range []struct{ what, given, want string }{
		{"one", "a0/3 a1/3 a2/3", "part part whole:a0a1a2"},
		{"two", "a0/2 b0/2 a1/2 b1/2", "part part whole:a0a1 whole:b0b1"},
		{"a chunk twice", "a0/3 a1/3 a1/3 a2/3", "part part part whole:a0a1a2"},
		{"begun anew", "a0/3 a1/3 a0/3 a1/3 a2/3", "part part part part whole:a0a1a2"},
		{"no head", "a1/3 a2/3", "part whole:!incomplete"},
		{"one is missing", "a0/3 a2/3", "part whole:!incomplete"},
		{"too large", "L0/4 L1/4 L2/4 L3/4", "part part part whole:!too_large"},
		{"begun too far in front", "a0/2 +2000 a1/2", "part whole:!incomplete"},
		{"perhaps begun before the first that was given", "@5 a1/2", "unknown"},
		{"begun too far in front to be behind the first that was given", "@5 +1000 a1/2", "whole:!incomplete"},
		{"over the end of a ledger", "a0/3 a1/3 | a2/3", "part part whole:a0a1a2"},
		{"over the ends of two", "a0/3 | a1/3 | a2/3", "part part whole:a0a1a2"},
		{"as far in front as it may be, in another ledger", "+100 a0/2 . +499 . | +498 a1/2", "part whole:a0a1"},
		{"too far in front, in another ledger", "+100 a0/2 . +499 . | +499 a1/2", "part whole:!incomplete"},
		{"nothing but it since the first that was given, in another ledger", "@5 . | a1/2", "unknown"},
		{"begun too far in front, and the first that was given in another ledger", "@5 +600 . | +400 a1/2", "whole:!incomplete"},
	} {
		a := AssembleFrom(1, 0, true)
		var got []string
		at, ledger := 0, int64(1)
		for word := range strings.FieldsSeq(x.given) {
			var uuid string
			var chunk, of, skip int
			if _, err := fmt.Sscanf(word, "+%d", &skip); err == nil {
				at += skip
				continue
			}
			if _, err := fmt.Sscanf(word, "@%d", &at); err == nil {
				a = AssembleFrom(1, int64(at), false)
				continue
			}
			switch word {
			case "|":
				at, ledger = 0, ledger+1
				continue
			case ".":
				e := entryOf(t, stored(at, plain("p"), "x"))
				e.Ledger = ledger
				a.See(e)
				at++
				continue
			}
			if _, err := fmt.Sscanf(word, "%1s%d/%d", &uuid, &chunk, &of); err != nil {
				t.Fatal(err)
			}
			payload := fmt.Sprint(uuid, chunk)
			if uuid == "L" {
				payload = large
			}
			e := entryOf(t, stored(at, plain("p").text(26, uuid).number(27, uint64(of)).number(29, uint64(chunk)), payload))
			e.Ledger = ledger
			at++
			a.See(e)
			switch a.Take(e) {
			case Part:
				got = append(got, "part")
			case Unknown:
				got = append(got, "unknown")
			case Whole:
				m := e.Messages(nil)[0]
				if m.Refused != "" {
					m.Payload = []byte("!" + m.Refused)
				}
				got = append(got, "whole:"+string(m.Payload))
			}
		}
		if words := strings.Join(got, " "); words != x.want {
			t.Errorf("%s: %.200s, want %s", x.what, words, x.want)
		}
		if a.bytes != 0 && len(a.open) == 0 {
			t.Errorf("%s: %d bytes are kept of nothing", x.what, a.bytes)
		}
	}
}

// The memory for messages that begin and never end is bounded.
func TestAssemblerIsBounded(t *testing.T) {
	a := AssembleFrom(1, 0, true)
	payload := strings.Repeat("x", 1<<20)
	for i := range 3 * MaxSpan {
		e := entryOf(t, stored(i, plain("p").text(26, fmt.Sprint(i)).number(27, 9).number(29, 0), payload[:1+i%2*(1<<20-1)]))
		a.See(e)
		a.Take(e)
		if len(a.open) > MaxSpan+1 || a.bytes > maxOpenBytes+MaxChunked {
			t.Fatalf("%d messages are open, with %d bytes", len(a.open), a.bytes)
		}
	}
}

// Reading a frame ends and stays within bounds, whatever the frame holds.
func FuzzEntry(f *testing.F) {
	for _, s := range []frame{
		stored(1, plain("p").text(6, "d"), "x"), stored(2, plain("p").number(11, 2), single1("x")+single1("y")),
		stored(3, plain("p").number(8, withZstd).number(9, 7), "\x28\xb5\x2f\xfd"), stored(4, plain("p").text(26, "u").number(27, 2), "x"),
	} {
		f.Add(s.rest)
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		e := entryOf(t, frame{kind: cmdMessage, body: stored(1, nil, "").body, rest: rest})
		a := AssembleFrom(1, 0, true)
		if a.See(e); e.Chunked() {
			a.Take(e)
		}
		if e.uncompressed > 1<<20 || e.Count() > MaxBatch {
			return // rare, and it takes long
		}
		all := e.Messages(nil)
		if none := e.batched && e.batch == 0; none != (len(all) == 0) || !none && int64(len(all)) != e.Count() {
			t.Fatalf("%d messages of %d", len(all), e.Count())
		}
	})
}
