package gateway

import (
	"encoding/binary"
	"net"
)

// Frames from a server are unmasked, so a frame is a header of a few bytes and its payload. Frames
// are made when they are written: the sessions of a cohort share the payloads.

// Opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// opcodes maps the kinds of messages to opcodes.
var opcodes = [...]byte{textMessage: opText, binaryMessage: opBinary, pongMessage: opPong}

// maxControlPayload is the largest payload of a close, ping or pong.
const maxControlPayload = 125

// maxHeader is the longest header of a frame from a server.
const maxHeader = 10

// framesOf calls do for each frame of a batch, in order.
func framesOf(b *outgoing, do func(op byte, payload []byte)) {
	for _, m := range b.messages {
		do(opcodes[m.kind], m.payload)
	}
	if b.update != nil {
		for _, p := range b.update.payloads {
			do(opText, p)
		}
	}
	if b.ping {
		do(opPing, nil)
	}
	if b.closing != 0 {
		payload := append(binary.BigEndian.AppendUint16(nil, uint16(b.closing)), b.closing.Word()...)
		do(opClose, payload[:min(len(payload), maxControlPayload)])
	}
}

// sizeOf returns an upper bound of a batch's length as frames.
func sizeOf(b *outgoing) (n int) {
	framesOf(b, func(_ byte, payload []byte) { n += maxHeader + len(payload) })
	return n
}

// appendBatch appends a batch as frames.
func appendBatch(out []byte, b *outgoing) []byte {
	framesOf(b, func(op byte, payload []byte) { out = appendFrame(out, op, payload) })
	return out
}

// buffersOf returns a batch as frames, without copying long payloads.
func buffersOf(b *outgoing) (out net.Buffers) {
	var short []byte
	framesOf(b, func(op byte, payload []byte) {
		if len(payload) <= copiedBytes {
			short = appendFrame(short, op, payload)
			return
		}
		short = appendHeader(short, op, len(payload))
		out = append(out, short, payload)
		short = nil
	})
	if len(short) > 0 {
		out = append(out, short)
	}
	return out
}

// appendFrame appends a whole message as one frame.
func appendFrame(out []byte, op byte, payload []byte) []byte {
	return append(appendHeader(out, op, len(payload)), payload...)
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
