package entries

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxUncompressed bounds the decompressed size of an entry: four times the largest message.
const maxUncompressed = 32 << 20

// The compressions of Pulsar's protocol.
const (
	none = iota
	withLZ4
	withZlib
	withZstd
	withSnappy
)

var errSize = errors.New("too large when it is decompressed")

var zstds = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUncompressed))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// decompress returns what Pulsar's client would make of the payload, so that both read the same
// message. For lz4 and zlib the size that the producer named counts; a size of 0 says that nothing
// is compressed.
func (e *Entry) decompress() ([]byte, error) {
	if e.uncompressed == 0 || e.compression == none {
		return e.payload, nil
	}
	if e.uncompressed > maxUncompressed {
		return nil, errSize
	}
	switch e.compression {
	case withLZ4:
		b := make([]byte, e.uncompressed)
		_, err := lz4.UncompressBlock(e.payload, b)
		return b, err
	case withZlib:
		z, err := zlib.NewReader(bytes.NewReader(e.payload))
		if err != nil {
			return nil, err
		}
		b := make([]byte, e.uncompressed)
		_, err = io.ReadFull(z, b)
		return b, err
	case withZstd:
		b, err := zstds().DecodeAll(e.payload, nil)
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			err = errSize
		}
		return b, err
	case withSnappy:
		if n, err := snappy.DecodedLen(e.payload); err != nil || n > maxUncompressed {
			return nil, errors.Join(err, errSize)
		}
		return snappy.Decode(nil, e.payload)
	}
	return nil, fmt.Errorf("compression %d is not known", e.compression)
}
