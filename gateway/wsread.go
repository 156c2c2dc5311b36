package gateway

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// incoming reads a client's frames: RFC 6455, without extensions. A violation of the rules is a
// *violation error. It is found at the first byte that shows it: a message over the limit at the
// header that announces it, text that is not UTF-8 at the character. It is not safe for concurrent
// use.
//
//	h, err := in.next()       // waits for a message; passes pings and pongs before it to control
//	b, err := in.rest(h, b)   // reads it
type incoming struct {
	r       *bufio.Reader
	limit   int                           // most bytes of a message
	control func(op byte, payload []byte) // payload is valid until it returns
}

// readBuffer is the size of a session's read buffer: a control frame fits, and long messages bypass
// it.
const readBuffer = 512

// header is the header of a frame whose payload is unread.
type header struct {
	op    byte
	final bool
	key   [4]byte
	size  uint64
}

// next waits for the first frame of a message.
func (in *incoming) next() (header, error) {
	h, err := in.data()
	if err == nil && h.op == opContinuation {
		err = violated(wire.CloseProtocol, "a continuation where no message has begun")
	}
	return h, err
}

// rest appends the message that begins with h to b, which is empty.
func (in *incoming) rest(h header, b []byte) ([]byte, error) {
	text, valid := h.op == opText, 0
	for {
		if h.size > uint64(in.limit-len(b)) {
			return b, violated(wire.CloseTooBig, "a message of more than %d bytes", in.limit)
		}
		var err error
		if b, valid, err = in.payload(h, b, text, valid); err != nil {
			return b, err
		}
		if h.final {
			if text && valid != len(b) {
				return b, violated(wire.CloseNotText, "text that ends inside a character")
			}
			return b, nil
		}
		if h, err = in.data(); err != nil {
			return b, err
		}
		if h.op != opContinuation {
			return b, violated(wire.CloseProtocol, "a message inside another")
		}
	}
}

// payload appends a frame's payload to b. If it is text, the first valid bytes of b are known to be
// whole characters.
func (in *incoming) payload(h header, b []byte, text bool, valid int) ([]byte, int, error) {
	for at := uint64(0); at < h.size; {
		if len(b) == cap(b) {
			// grow as bytes come: a client that announces much and sends little holds little
			b = slices.Grow(b, 1)
		}
		room := b[len(b):cap(b)]
		n, err := in.r.Read(room[:min(uint64(len(room)), h.size-at)])
		unmask(room[:n], h.key, at)
		b, at = b[:len(b)+n], at+uint64(n)
		if text {
			ok := true
			if valid, ok = validUpTo(b, valid); !ok {
				return b, valid, violated(wire.CloseNotText, "text that is not UTF-8 at byte %d", valid)
			}
		}
		if err != nil && at < h.size {
			return b, valid, err
		}
	}
	return b, valid, nil
}

// validUpTo returns up to where b consists of whole characters of UTF-8, given that it does up to
// from. ok is false if the following bytes cannot become a character.
func validUpTo(b []byte, from int) (valid int, ok bool) {
	for from < len(b) {
		if b[from] < utf8.RuneSelf {
			from++
			continue
		}
		r, size := utf8.DecodeRune(b[from:])
		if r == utf8.RuneError && size == 1 {
			return from, !utf8.FullRune(b[from:])
		}
		from += size
	}
	return from, true
}

// unmask undoes the client's masking of b, which begins at byte at of its payload.
func unmask(b []byte, key [4]byte, at uint64) {
	for i := range b {
		b[i] ^= key[(at+uint64(i))&3]
	}
}

// data waits for a frame of a message, and handles control frames before it.
func (in *incoming) data() (header, error) {
	for {
		h, err := in.header()
		if err != nil || h.op < opClose {
			return h, err
		}
		if err := in.take(h); err != nil {
			return h, err
		}
	}
}

// take reads a control frame.
func (in *incoming) take(h header) error {
	payload, err := in.r.Peek(int(h.size))
	if err != nil {
		return err
	}
	unmask(payload, h.key, 0)
	if h.op == opClose {
		return closing(payload)
	}
	in.control(h.op, payload)
	_, err = in.r.Discard(len(payload))
	return err
}

// closing checks a close. It returns errClosed if the close is proper.
func closing(payload []byte) error {
	if len(payload) == 0 {
		return errClosed
	}
	if len(payload) == 1 {
		return violated(wire.CloseProtocol, "a close with half a code")
	}
	code := binary.BigEndian.Uint16(payload)
	switch {
	case code >= 3000 && code < 5000: // for libraries and applications
	case code >= 1000 && code <= 1014 && (code < 1004 || code > 1006):
		// registered, and not for local use only
	default:
		return violated(wire.CloseProtocol, "a close with code %d", code)
	}
	if !utf8.Valid(payload[2:]) {
		return violated(wire.CloseNotText, "a close whose reason is not UTF-8")
	}
	return errClosed
}

// header reads and checks a frame's header.
func (in *incoming) header() (h header, err error) {
	var b [8]byte
	if _, err = io.ReadFull(in.r, b[:2]); err != nil {
		return h, err
	}
	h.final, h.op, h.size = b[0]&0x80 != 0, b[0]&0xf, uint64(b[1]&0x7f)
	switch {
	case b[0]&0x70 != 0:
		return h, violated(wire.CloseProtocol, "a frame with reserved bits")
	case h.op > opBinary && h.op < opClose || h.op > opPong:
		return h, violated(wire.CloseProtocol, "a frame with the reserved opcode %d", h.op)
	case b[1]&0x80 == 0:
		return h, violated(wire.CloseProtocol, "a frame that is not masked")
	case h.op >= opClose && (h.size > maxControlPayload || !h.final):
		return h, violated(wire.CloseProtocol, "a control frame of more than %d bytes, or in parts", maxControlPayload)
	}
	switch h.size {
	case 126:
		_, err = io.ReadFull(in.r, b[:2])
		h.size = uint64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		_, err = io.ReadFull(in.r, b[:8])
		h.size = binary.BigEndian.Uint64(b[:8])
	}
	if err == nil && h.size>>63 != 0 {
		err = violated(wire.CloseProtocol, "a frame of 2^63 bytes or more")
	}
	if err == nil {
		_, err = io.ReadFull(in.r, h.key[:])
	}
	return h, err
}
