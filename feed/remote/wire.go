package remote

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/cluster/link"
)

// A stream carries messages, and messages carry items: a byte with the kind, four with the length,
// and the fields one behind another. New fields are only added at an item's end, and new kinds of
// items beside the others. A reader skips what it does not know, so both ends may be upgraded in
// any order. A change that an older end could not understand raises link.Version.

// The greatest size of a message, of a payload assembled from several, and of what waits for a
// gateway.
const (
	MaxMessageBytes = 256 << 10
	MaxPayloadBytes = 32 << 20
	Waiting         = 1 << 20
)

// The first byte of a message.
const (
	last byte = iota // the message is whole, or the last part
	more             // a part, and more follow
)

const itemHead = 5

// begin begins an item at the end of b; end, given where that was, completes it.
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

// sends is the sending end of a stream.
type sends interface{ SendMsg(m any) error }

// send sends a message, in parts if it is large. It overwrites m, beginning with the first byte,
// which the caller reserves. It waits while the stream's window is full, and counts what it sends.
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
		m = m[len(part)-1:] // the last byte is sent, and free for the next part's first byte
	}
}

var (
	errParts = fmt.Errorf("the parts of a message exceed %d bytes in total", MaxPayloadBytes)
	errItem  = errors.New("an item cannot be read")
)

// assembly assembles what came in parts.
type assembly struct{ held []byte }

// take returns the content of a message, or of all parts if it is the last part; ok is false if
// more parts follow.
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

// reader reads fields and remembers whether a read failed. Only the result of bytes aliases its
// input.
type reader struct {
	b      []byte
	failed bool
}

// item returns the next item; ok is false at the end, and if it cannot be read.
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
