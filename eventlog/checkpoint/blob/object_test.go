package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

func object(t interface{ Fatal(...any) }, m checkpoint.Marker, entries []checkpoint.Entry) []byte {
	var b bytes.Buffer
	o, err := newObjectWriter(&b)
	for i := 0; i < len(entries) && err == nil; i++ {
		err = o.put(entries[i])
	}
	if err == nil {
		err = o.end(m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestObject: a written object is read back; a flipped bit or a missing end is ErrCorrupt.
func TestObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []checkpoint.Entry
		for i := range rapid.IntRange(0, 20).Draw(t, "entries") {
			entries = append(entries, checkpoint.Entry{
				Key:      messages.Key{Tenant: "t", Dashboard: fmt.Sprint("d", i)},
				Position: messages.Position{Hi: rapid.Uint64().Draw(t, "hi"), Lo: uint64(i)},
				Summary:  rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "summary"),
				State:    bytes.Repeat([]byte{byte(i)}, rapid.IntRange(0, 100_000).Draw(t, "size")),
			})
		}
		m := checkpoint.Marker{Position: messages.Position{Lo: 9}, State: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "state")}
		b := object(t, m, entries)
		n := 0
		got, err := readObject(bytes.NewReader(b), func(e checkpoint.Entry) error {
			w := entries[n]
			if e.Key != w.Key || e.Position != w.Position || !bytes.Equal(e.Summary, w.Summary) || !bytes.Equal(e.State, w.State) {
				t.Fatalf("entry %d: got %s, want %s", n, e.Key, w.Key)
			}
			n++
			return nil
		})
		if err != nil || n != len(entries) || got.Position != m.Position || !bytes.Equal(got.State, m.State) {
			t.Fatalf("got marker %s after %d of %d entries, %v", got.Position, n, len(entries), err)
		}
		nothing := func(checkpoint.Entry) error { return nil }
		if _, err := readObject(bytes.NewReader(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]), nothing); !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Fatalf("cut off: got %v, want ErrCorrupt", err)
		}
		bad := bytes.Clone(b)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		bad[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if again, err := readObject(bytes.NewReader(bad), nothing); !errors.Is(err, checkpoint.ErrCorrupt) && !(err == nil && again.Position == m.Position && bytes.Equal(again.State, m.State)) {
			t.Fatalf("byte %d changed: got %v, want ErrCorrupt", at, err)
		}
	})
}

// TestSourceFails: an error of the store is not a corrupt object.
func TestSourceFails(t *testing.T) {
	b := object(t, checkpoint.Marker{}, []checkpoint.Entry{{Key: messages.Key{Tenant: "t", Dashboard: "d"}, State: make([]byte, 1<<20)}})
	broken := errors.New("connection reset")
	for _, n := range []int{0, 4, 8, 20, len(b) - 1} {
		_, err := readObject(io.MultiReader(bytes.NewReader(b[:n]), failing{&readError{broken}}), func(checkpoint.Entry) error { return nil })
		if !errors.Is(err, broken) || errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("after %d bytes: got %v, want only the store's error", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func FuzzObject(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte{kindMarker, 200, 200, 200, 200, 200}, true)
	f.Add(object(f, checkpoint.Marker{State: []byte("x")}, []checkpoint.Entry{{Key: messages.Key{Tenant: "t", Dashboard: "d"}, State: []byte("y")}}), false)
	f.Fuzz(func(t *testing.T, b []byte, stream bool) {
		// a valid zstd stream with the right checksum, or the fuzzer would get no further
		if stream {
			sum := crc32.Update(crc32.Update(0, castagnoli, header), castagnoli, b)
			zip, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
			if err != nil {
				t.Fatal(err)
			}
			b = zip.EncodeAll(binary.BigEndian.AppendUint32(bytes.Clone(b), sum), bytes.Clone(header))
		}
		_, err := readObject(bytes.NewReader(b), func(e checkpoint.Entry) error {
			if !e.Key.Valid() {
				t.Errorf("key %q", e.Key.String())
			}
			return nil
		})
		if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
	})
}
