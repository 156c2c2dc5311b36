package remote

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// What goes over a stream is messages, and in them items: a byte that says what one is, four with
// its length, and fields one behind the other. Fields are only ever added at an item's end and
// kinds of items beside the others: a reader passes over what it does not know, so both ends may be
// upgraded in any order. What an older end could not understand raises link.Version.

// What a message, what is put together of several, and what waits for a gateway may hold.
const (
	MaxMessageBytes = 256 << 10
	MaxPayloadBytes = 32 << 20
	Waiting         = 1 << 20
)

// A message's first byte.
const (
	last byte = iota // it is whole, or the last part
	more             // a part, and more follow
)

const itemHead = 5

// begin begins an item behind b; end, told where that was, ends it.
func begin(b []byte, what byte) []byte { return append(b, what, 0, 0, 0, 0) }

func end(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-itemHead))
	return b
}

func appendText[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendFlag(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}

// sends is the end of a stream that messages are sent at.
type sends interface{ SendMsg(m any) error }

// send sends a message, in parts where it is large. Its first byte is send's, as is all of it
// afterwards. It waits while the stream's window is full, and counts what it sends.
func send(s sends, m []byte, sent func(bytes int)) error {
	for {
		part := link.Message(m[:min(len(m), MaxMessageBytes)])
		part[0] = last
		if len(part) < len(m) {
			part[0] = more
		}
		if err := s.SendMsg(&part); err != nil {
			return err
		}
		sent(len(part))
		if len(part) == len(m) {
			return nil
		}
		m = m[len(part)-1:] // the last byte is sent, and free for the next part's first
	}
}

var (
	errParts = fmt.Errorf("parts of a message are larger together than %d bytes", MaxPayloadBytes)
	errItem  = errors.New("an item can not be read")
)

// assembly puts together what came in parts.
type assembly struct{ held []byte }

// take gives what a message holds, or all parts where it is the last of some; false where more
// follow.
func (a *assembly) take(m []byte) (whole []byte, ok bool, err error) {
	switch {
	case len(m) == 0 || m[0] > more:
		return nil, false, errItem
	case len(a.held)+len(m) > MaxPayloadBytes:
		return nil, false, errParts
	case m[0] == last && a.held == nil:
		return m[1:], true, nil
	}
	a.held = append(a.held, m[1:]...)
	if m[0] == more {
		return nil, false, nil
	}
	whole, a.held = a.held, nil
	return whole, true, nil
}

// reader reads fields and remembers that one could not be read. Nothing of its bytes is kept by
// what it gives but by bytes.
type reader struct {
	b      []byte
	failed bool
}

// item gives the next one; false at the end, and where it can't be read.
func (r *reader) item() (what byte, body reader, ok bool) {
	if len(r.b) == 0 || r.failed {
		return 0, reader{}, false
	}
	if len(r.b) < itemHead || uint64(binary.BigEndian.Uint32(r.b[1:])) > uint64(len(r.b)-itemHead) {
		r.failed = true
		return 0, reader{}, false
	}
	n := itemHead + int(binary.BigEndian.Uint32(r.b[1:]))
	what, body = r.b[0], reader{b: r.b[itemHead:n]}
	r.b = r.b[n:]
	return what, body, true
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	return advance(r, n, size)
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	return advance(r, n, size)
}

func advance[T uint64 | int64](r *reader, n T, size int) T {
	if size <= 0 || r.failed {
		r.failed = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) fixed() uint64 {
	if len(r.b) < 8 || r.failed {
		r.failed = true
		return 0
	}
	n := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *reader) flag() bool { return r.uvarint() != 0 }

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) err() error {
	if r.failed {
		return errItem
	}
	return nil
}
