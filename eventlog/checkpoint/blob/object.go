package blob

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

// An object is a header of eight bytes and a zstd stream:
//
//	header  "DASHCKP" and the format's version
//	entry   'e' tenant dashboard position summary state     (any number; each name after its length, a varint)
//	marker  'm' position state entries                      (entries: how many there were, varint)
//	end     CRC-32C of the header and of all of the stream before it
//
// Varint lengths precede what they measure; positions are 16 bytes.
const (
	formatVersion = 1
	magic         = "DASHCKP"
	kindEntry     = 'e'
	kindMarker    = 'm'
	windowBytes   = 1 << 20 // zstd's window, both ways: bounds the reader's memory
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var header = append([]byte(magic), formatVersion)

// objectWriter writes one object as a stream.
type objectWriter struct {
	zip     *zstd.Encoder
	out     *bufio.Writer
	sum     hash.Hash32
	entries uint64
	scratch []byte
}

func newObjectWriter(to io.Writer) (*objectWriter, error) {
	if _, err := to.Write(header); err != nil {
		return nil, err
	}
	zip, err := zstd.NewWriter(to, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowBytes), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	o := &objectWriter{zip: zip, sum: crc32.New(castagnoli)}
	o.out = bufio.NewWriterSize(io.MultiWriter(zip, o.sum), 64<<10)
	_, _ = o.sum.Write(header)
	return o, nil
}

func (o *objectWriter) put(e checkpoint.Entry) error {
	b := append(o.scratch[:0], kindEntry)
	b = appendBytes(appendBytes(b, e.Key.Tenant), e.Key.Dashboard)
	b = appendBytes(e.Position.Append(b), e.Summary)
	b = binary.AppendUvarint(b, uint64(len(e.State)))
	o.scratch = b
	o.entries++
	_, err := o.out.Write(b)
	_, err2 := o.out.Write(e.State)
	return errors.Join(err, err2)
}

// end writes the marker and the checksum.
func (o *objectWriter) end(m checkpoint.Marker) error {
	b := appendBytes(m.Position.Append([]byte{kindMarker}), m.State)
	_, err := o.out.Write(binary.AppendUvarint(b, o.entries))
	if err := errors.Join(err, o.out.Flush()); err != nil {
		return err
	}
	_, err = o.zip.Write(o.sum.Sum(nil))
	return errors.Join(err, o.zip.Close())
}

func appendBytes[T []byte | string](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// readObject calls put with every entry, and returns the marker when the whole object has been
// checked. Entries are valid until put returns. It returns ErrCorrupt for anything but a whole
// object of this format, and errors of put unchanged.
func readObject(from io.Reader, put func(checkpoint.Entry) error) (m checkpoint.Marker, err error) {
	var head [len(magic) + 1]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return m, corruptAt("header", err)
	}
	switch version := head[len(magic)]; {
	case string(head[:len(magic)]) != magic:
		return m, fmt.Errorf("%w: it does not begin with %q", checkpoint.ErrCorrupt, magic)
	case version != formatVersion:
		return m, fmt.Errorf("%w: format %d, this binary knows %d: start a newer one to read it", checkpoint.ErrCorrupt, version, formatVersion)
	}
	zip, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(2*windowBytes), zstd.WithDecoderLowmem(true))
	if err != nil {
		return m, err
	}
	defer zip.Close()
	o := &objectReader{in: bufio.NewReaderSize(zip, 64<<10), sum: crc32.Update(0, castagnoli, head[:])}
	return o.read(put)
}

// objectReader reads the stream. The first error stays, and later reads return nothing.
type objectReader struct {
	in      *bufio.Reader
	sum     uint32
	err     error
	body    []byte // content of the last record
	entries uint64
}

func (o *objectReader) read(put func(checkpoint.Entry) error) (m checkpoint.Marker, err error) {
	for {
		switch kind := o.byte(); {
		case o.err != nil:
			return m, corruptAt("record", o.err)
		case kind == kindEntry:
			e := o.entry()
			if o.err != nil {
				return m, corruptAt("entry", o.err)
			}
			if err := put(e); err != nil {
				return m, err
			}
		case kind == kindMarker:
			return o.marker()
		default:
			return m, fmt.Errorf("%w: record of kind %#x", checkpoint.ErrCorrupt, kind)
		}
	}
}

func (o *objectReader) entry() checkpoint.Entry {
	o.entries++
	o.body = o.body[:0]
	tenant := o.bytes(messages.MaxNameBytes)
	dashboard := o.bytes(messages.MaxNameBytes)
	position := o.span(messages.PositionBytes)
	summary := o.bytes(embedded.MaxEntryBytes)
	state := o.bytes(embedded.MaxEntryBytes)
	e := checkpoint.Entry{
		Key:     messages.Key{Tenant: string(o.at(tenant)), Dashboard: string(o.at(dashboard))},
		Summary: o.at(summary), State: o.at(state),
	}
	if o.err == nil {
		e.Position, _ = messages.DecodePosition(o.at(position))
		if !e.Key.Valid() {
			o.err = fmt.Errorf("names %q are not allowed", e.Key.String())
		}
	}
	return e
}

func (o *objectReader) marker() (m checkpoint.Marker, err error) {
	o.body = o.body[:0]
	position := o.span(messages.PositionBytes)
	state := o.bytes(embedded.MaxEntryBytes)
	entries := o.uvarint()
	want := o.sum
	sum := o.span(crc32.Size)
	if o.err != nil {
		return m, corruptAt("marker", o.err)
	}
	if got := binary.BigEndian.Uint32(o.at(sum)); got != want || entries != o.entries {
		return m, fmt.Errorf("%w: checksum %08x over %d entries, want %08x over %d", checkpoint.ErrCorrupt, want, o.entries, got, entries)
	}
	if _, err := o.in.ReadByte(); !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("%w: bytes after its end", checkpoint.ErrCorrupt)
	}
	m.Position, _ = messages.DecodePosition(o.at(position))
	m.State = append([]byte(nil), o.at(state)...)
	return m, nil
}

// span is a piece of o.body, which may move while it grows.
type span struct{ begin, end int }

func (o *objectReader) at(s span) []byte { return o.body[s.begin:s.end:s.end] }

// bytes reads a length and that many bytes.
func (o *objectReader) bytes(atMost int) span {
	n := o.uvarint()
	if o.err == nil && n > uint64(atMost) {
		o.err = fmt.Errorf("%d bytes, at most %d", n, atMost)
	}
	if o.err != nil {
		return span{}
	}
	return o.span(int(n))
}

// span reads n bytes in pieces: a wrong length costs no more memory than the stream has bytes.
func (o *objectReader) span(n int) span {
	begin := len(o.body)
	for left := n; left > 0 && o.err == nil; {
		piece := min(left, 64<<10)
		o.body = append(o.body, make([]byte, piece)...)
		got := o.body[len(o.body)-piece:]
		_, o.err = io.ReadFull(o.in, got)
		o.sum = crc32.Update(o.sum, castagnoli, got)
		left -= piece
	}
	if o.err != nil {
		return span{}
	}
	return span{begin, begin + n}
}

func (o *objectReader) byte() byte {
	if o.err != nil {
		return 0
	}
	var b byte
	b, o.err = o.in.ReadByte()
	o.sum = crc32.Update(o.sum, castagnoli, []byte{b})
	return b
}

func (o *objectReader) uvarint() (n uint64) {
	for shift := 0; o.err == nil; shift += 7 {
		b := o.byte()
		if shift == 63 && b > 1 {
			o.err = errors.New("number over 64 bits")
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	return 0
}

// corruptAt turns the end of a stream, and errors of zstd, into ErrCorrupt; errors of the store
// stay as they are.
func corruptAt(what string, err error) error {
	var failed *readError
	if errors.As(err, &failed) {
		return failed.error
	}
	return fmt.Errorf("%w: %s: %w", checkpoint.ErrCorrupt, what, err)
}

// readError is an error of the store, not of its content.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }
