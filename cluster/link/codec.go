package link

import (
	"fmt"
	"slices"

	"google.golang.org/grpc/mem"
)

// Message is what gRPC sends and receives on a link: *Message is the type on every stream and call.
// Receiving into a Message reuses its memory.
type Message []byte

// MaxMessage is the greatest length of a message, in bytes.
const MaxMessage = 1 << 20

// codec passes bytes through unchanged.
type codec struct{}

// Name implements encoding.CodecV2; it is part of the content type.
func (codec) Name() string { return "dashfeed" }

// Marshal implements encoding.CodecV2. It copies, so that the sender may reuse its memory when
// SendMsg returns.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*Message)
	if !ok {
		return nil, fmt.Errorf("link: cannot send a %T, only *Message", v)
	}
	return mem.BufferSlice{mem.Copy(*m, mem.DefaultBufferPool())}, nil
}

// Unmarshal implements encoding.CodecV2.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*Message)
	if !ok {
		return fmt.Errorf("link: cannot receive into a %T, only *Message", v)
	}
	n := data.Len()
	*m = slices.Grow((*m)[:0], n)[:n]
	data.CopyTo(*m)
	return nil
}
