package pulsar

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
)

// Bodies are compressed here and not by the producer: the broker's compaction (4.0.8) allocates a
// buffer of the compressed size of a batch, and fails.
const (
	packedPlain = 0
	packedZstd  = 1
	leastToZip  = 256 // bytes; smaller bodies gain nothing
)

// packer compresses. One goroutine uses it.
type packer struct {
	zip *zstd.Encoder
	out []byte
}

func newPacker() (*packer, error) {
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	return &packer{zip: zip}, err
}

// pack returns the body as it is sent, valid until the next call.
func (p *packer) pack(body []byte) []byte {
	if len(body) >= leastToZip {
		p.out = p.zip.EncodeAll(body, append(p.out[:0], packedZstd))
		if len(p.out) < len(body) {
			return p.out
		}
	}
	p.out = append(append(p.out[:0], packedPlain), body...)
	return p.out
}

// unpacker reverses packer. One goroutine uses it.
type unpacker struct {
	zip *zstd.Decoder
	out []byte
}

func newUnpacker() (*unpacker, error) {
	zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBodyBytes), zstd.WithDecoderLowmem(true))
	return &unpacker{zip: zip}, err
}

func (u *unpacker) close() { u.zip.Close() }

// unpack returns the body, valid until the next call.
func (u *unpacker) unpack(b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] == packedPlain:
		return b[1:], nil
	case len(b) > 0 && b[0] == packedZstd:
		var err error
		if u.out, err = u.zip.DecodeAll(b[1:], u.out[:0]); err != nil {
			return nil, fmt.Errorf("%w: %w", checkpoint.ErrCorrupt, err)
		}
		return u.out, nil
	}
	return nil, fmt.Errorf("%w: unknown packing", checkpoint.ErrCorrupt)
}
