package link

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/mem"
)

// Message is what gRPC sends and receives here: *Message is its type on every stream and call. One
// that is received into keeps its memory for the next.
type Message []byte

// MaxMessage is how many bytes a message may have.
const MaxMessage = 1 << 20

// codec passes bytes through.
type codec struct{}

// Name implements encoding.CodecV2: it is part of the content type.
func (codec) Name() string { return "dashfeed" }

// Marshal implements encoding.CodecV2. It copies, so that the sender has its memory back when
// SendMsg returns.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*Message)
	if !ok {
		return nil, fmt.Errorf("link: a %T is sent, only *Message is", v)
	}
	return mem.BufferSlice{mem.Copy(*m, mem.DefaultBufferPool())}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*Message)
	if !ok {
		return fmt.Errorf("link: a %T is received, only *Message is", v)
	}
	n := data.Len()
	*m = slices.Grow((*m)[:0], n)[:n]
	data.CopyTo(*m)
	return nil
}
