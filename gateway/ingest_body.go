package gateway

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/semaphore"

	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	firstBodyBytes  = 16 << 10 // of a new buffer
	pooledBodyBytes = 1 << 20  // larger buffers are not kept
)

// unsupported is a Content-Encoding that nobody here speaks.
type unsupported string

func (u unsupported) Error() string {
	return fmt.Sprintf("Content-Encoding %.40q is not known: gzip, identity or none", string(u))
}

// bodies reads request bodies into buffers that are used again, and bounds the bytes of all that are in work. A buffer
// grows, and is reserved, as its bytes come: who promises much and sends little holds little.
type bodies struct {
	limit    int // of one body
	inFlight *semaphore.Weighted
	buffers  *sync.Pool // *[]byte
	gzips    *sync.Pool // *gzip.Reader
}

func newBodies(limit int, inFlight int64) bodies {
	return bodies{
		limit:    limit,
		inFlight: semaphore.NewWeighted(inFlight),
		buffers: &sync.Pool{New: func() any {
			b := make([]byte, 0, firstBodyBytes)
			return &b
		}},
		gzips: &sync.Pool{New: func() any { return new(gzip.Reader) }},
	}
}

// body is one request's body in memory, held until release.
type body struct {
	of       *bodies
	bytes    []byte
	reserved int64
}

// read reads a whole body, inflated. The body it returns is to be released also with an error, which is a *wire.Error
// or unsupported.
func (p *bodies) read(r *http.Request) (*body, error) {
	b := &body{of: p}
	if r.ContentLength > int64(p.limit) {
		drain(r.Body, p.limit)
		return b, p.tooBig()
	}
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return b, p.fill(b, r.Body, r.Body)
	case "gzip", "x-gzip":
		// A compressed body is bounded too: a stream of empty members inflates to nothing for ever.
		packed := &io.LimitedReader{R: r.Body, N: int64(p.limit) + 1}
		z := p.gzips.Get().(*gzip.Reader)
		defer p.gzips.Put(z)
		if err := z.Reset(packed); err != nil {
			return b, wire.Errorf(wire.CodeBadMessage, "the body is not gzip: %v", err)
		}
		err := p.fill(b, z, r.Body)
		if packed.N == 0 {
			drain(r.Body, p.limit)
			err = p.tooBig()
		}
		return b, err
	default:
		return b, unsupported(encoding)
	}
}

// fill reads src to its end; behind it lies the request's body.
func (p *bodies) fill(b *body, src, behind io.Reader) error {
	buffer := p.buffers.Get().(*[]byte)
	b.bytes = (*buffer)[:0]
	if err := b.reserve(int64(cap(b.bytes))); err != nil {
		return err
	}
	for {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(p.limit + 1); err != nil {
				return err
			}
		}
		n, err := src.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		switch {
		case len(b.bytes) > p.limit:
			drain(behind, p.limit)
			return p.tooBig()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return wire.Errorf(wire.CodeBadMessage, "the body breaks off after %d bytes: %v", len(b.bytes), err)
		}
	}
}

// grow doubles the buffer, to no more than most.
func (b *body) grow(most int) error {
	size := min(2*cap(b.bytes), most)
	if err := b.reserve(int64(size - cap(b.bytes))); err != nil {
		return err
	}
	b.bytes = append(make([]byte, 0, size), b.bytes...)
	return nil
}

// reserve takes n more bytes of what may be in work.
func (b *body) reserve(n int64) error {
	if !b.of.inFlight.TryAcquire(n) {
		return wire.Errorf(wire.CodeLimit, "too many bytes of events are in work: try again")
	}
	b.reserved += n
	return nil
}

// release gives the buffer back; nothing that aliases it may be used any more.
func (b *body) release() {
	if c := cap(b.bytes); c > 0 && c <= pooledBodyBytes {
		buffer := b.bytes[:0]
		b.of.buffers.Put(&buffer)
	}
	b.abandon()
}

// abandon leaves the buffer to whoever may still read it.
func (b *body) abandon() {
	b.bytes = nil
	b.of.inFlight.Release(b.reserved)
	b.reserved = 0
}

func (p *bodies) tooBig() error {
	return wire.Errorf(wire.CodeTooBig, "a body is at most %d bytes, also inflated: send the events in several requests", p.limit)
}

// drain reads on for a while: an answer that comes while the client still sends is lost on many of them.
func drain(r io.Reader, limit int) { _, _ = io.CopyN(io.Discard, r, 3*int64(limit)) }
