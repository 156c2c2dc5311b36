package gateway

import "encoding/binary"

// Frames from a server are unmasked, so one is a few bytes of header and its payload. They are
// built here, once for a whole cohort, and written to the socket as they are; wsread.go reads the
// client's, and the handshake is the library's.

// opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// maxControlPayload is the most that a close, ping or pong carries.
const maxControlPayload = 125

// maxHeader is the longest header of a frame from a server.
const maxHeader = 10

// sealText makes a text frame of b, whose first maxHeader bytes were left free, in place.
func sealText(b []byte) []byte {
	h := appendHeader(make([]byte, 0, maxHeader), opText, len(b)-maxHeader)
	b = b[maxHeader-len(h):]
	copy(b, h)
	return b
}

// textFrame is a text frame with that payload.
func textFrame(payload []byte) []byte {
	return dataFrame(opText, payload)
}

func dataFrame(op byte, payload []byte) []byte {
	return append(appendHeader(make([]byte, 0, maxHeader+len(payload)), op, len(payload)), payload...)
}

// controlFrame is a ping or pong; its payload is cut at 125 bytes.
func controlFrame(op byte, payload string) []byte {
	payload = payload[:min(len(payload), maxControlPayload)]
	return append(appendHeader(nil, op, len(payload)), payload...)
}

// closeFrame is a close with code and reason.
func closeFrame(code int, reason string) []byte {
	return controlFrame(opClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

func appendHeader(b []byte, op byte, n int) []byte {
	const final = 0x80
	b = append(b, final|op)
	switch {
	case n < 126:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}
