package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	firstBodyBytes  = 512     // size of a new buffer
	pooledBodyBytes = 1 << 20 // larger buffers are not kept
)

// unsupported is an unknown Content-Encoding.
type unsupported string

func (u unsupported) Error() string {
	return fmt.Sprintf("Content-Encoding %.40q is not known: gzip, identity or none", string(u))
}

// bodies reads request bodies into buffers that are used again. A buffer grows, and is reserved, as
// its bytes come, so that a client that announces much and sends little holds little.
type bodies struct {
	limit      int    // bytes of one body
	name, hint string // what a body is called, and advice if it is too large
	least      int    // bytes that must come in each leastTime; 0: any number
	limits     *limits.Limits
	room       *room
	buffers    *[12]sync.Pool // *[]byte of firstBodyBytes, of twice as much, … of pooledBodyBytes
	gzips      *sync.Pool     // *gzip.Reader
}

func newBodies(limit int, inFlight int64, name, hint string, l *limits.Limits) bodies {
	least := 0
	if rate := l.Most(limits.AddressBodyRate); rate != limits.None {
		least = int(rate * leastTime.Seconds())
	}
	return bodies{
		least: least, limits: l,
		limit: limit, name: name, hint: hint, room: newRoom(inFlight, inFlight/2),
		buffers: &[12]sync.Pool{},
		gzips:   &sync.Pool{New: func() any { return new(gzip.Reader) }},
	}
}

// body is one request's body in memory, held until release. The room's mu guards what others than
// its reader access.
type body struct {
	of    *bodies
	ctx   context.Context
	src   io.Reader
	conn  *http.ResponseController
	bytes []byte

	holder   *holder
	reserved int64
	cut      bool // another body got its room
	began    time.Time
	last     time.Time // when bytes last came
	rate     float64   // bytes a second, at last
	window   int       // bytes that came since the deadline was set
}

// read reads a whole body and inflates it. The returned body must be released, also after an error.
// The error is a *wire.Error or unsupported.
func (p *bodies) read(w http.ResponseWriter, r *http.Request, c caller) (*body, error) {
	now := time.Now()
	b := &body{of: p, ctx: r.Context(), src: r.Body, conn: http.NewResponseController(w), began: now, last: now}
	p.room.enter(b, c.address)
	b.extend(now)
	err := b.take(r)
	if err == nil {
		return b, nil
	}
	e, ok := errors.AsType[*wire.Error](err)
	switch {
	case !ok:
	case e.Code == wire.CodeTooBig:
		b.release()
		b.drain()
	case e.Code == wire.CodeLimit:
		if e == errCut || e == errNoRoom {
			p.limits.Count(limits.ProcessBodyBytes)
		}
		w.Header().Set("Connection", "close") // so that nobody waits for the rest of the body
	}
	return b, err
}

// take reads the request's body into b, and inflates it.
func (b *body) take(r *http.Request) error {
	zipped := false
	switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		zipped = true
	default:
		return unsupported(encoding)
	}
	if r.ContentLength > int64(b.of.limit) {
		return b.of.tooBig()
	}
	if err := b.fill(b); err != nil {
		return err
	}
	if !b.of.room.whole(b) {
		return errCut
	}
	_ = b.conn.SetReadDeadline(time.Time{}) // the client may be silent while its events are stored
	if zipped {
		return b.inflate()
	}
	return nil
}

// Read reads from the connection, and ends a body that comes too slowly.
func (b *body) Read(p []byte) (int, error) {
	waits(b.ctx, true)
	n, err := b.src.Read(p)
	waits(b.ctx, false)
	if n > 0 {
		b.of.room.came(b, n)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return n, b.late()
	}
	return n, err
}

// late returns why reading was interrupted.
func (b *body) late() error {
	b.of.room.mu.Lock()
	defer b.of.room.mu.Unlock()
	switch {
	case b.cut:
		return errCut
	case time.Since(b.began) >= wholeTime:
		b.of.limits.Count(limits.AddressBodyRate)
		return wire.Errorf(wire.CodeLimit, "the body had not come after %v%s", wholeTime, b.of.hint)
	}
	b.of.limits.Count(limits.AddressBodyRate)
	return wire.Errorf(wire.CodeLimit, "limit %s: the body came too slowly: %d bytes in %v, where at least %d have to come", limits.AddressBodyRate, b.window, leastTime, b.of.least)
}

// extend sets the deadline for the next bytes.
func (b *body) extend(now time.Time) {
	until := b.began.Add(wholeTime)
	if next := now.Add(leastTime); b.of.least > 0 && next.Before(until) {
		until = next
	}
	// Without a connection, deadlines are not supported, and nothing is slow.
	_ = b.conn.SetReadDeadline(until)
}

// interrupt makes Read return at once.
func (b *body) interrupt() { _ = b.conn.SetReadDeadline(time.Unix(1, 0)) }

// fill reads src to its end into a buffer of b. Nothing is reserved before the first byte comes.
func (b *body) fill(src io.Reader) error {
	b.bytes = b.of.buffer(firstBodyBytes)
	for kept := false; ; {
		if len(b.bytes) == cap(b.bytes) {
			if err := b.grow(); err != nil {
				return err
			}
		}
		n, err := src.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if n > 0 && !kept {
			kept = true
			if err := b.reserve(int64(cap(b.bytes))); err != nil {
				return err
			}
		}
		switch {
		case len(b.bytes) > b.of.limit:
			return b.of.tooBig()
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return b.broken(err)
		}
	}
}

// broken returns what the client is told of an error of reading.
func (b *body) broken(err error) error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return wire.Errorf(wire.CodeBadMessage, "the body breaks off after %d bytes: %v", len(b.bytes), err)
}

// inflate replaces the body's bytes by their inflated form. All bytes have come, so that no gzip
// reader is held while waiting. The compressed body is bounded, too: a stream of empty members
// could inflate to nothing forever.
func (b *body) inflate() error {
	packed, held := b.bytes, int64(cap(b.bytes))
	z := b.of.gzips.Get().(*gzip.Reader)
	defer b.of.gzips.Put(z)
	if err := z.Reset(bytes.NewReader(packed)); err != nil {
		return wire.Errorf(wire.CodeBadMessage, "the body is not gzip: %v", err)
	}
	err := b.fill(z)
	b.of.keep(packed)
	b.of.room.give(b, held)
	return err
}

// grow doubles the buffer, up to the size of the largest body.
func (b *body) grow() error {
	size := min(2*cap(b.bytes), b.of.limit+1)
	if err := b.reserve(int64(size - cap(b.bytes))); err != nil {
		return err
	}
	old := b.bytes
	b.bytes = append(b.of.buffer(size), old...)
	b.of.keep(old)
	return nil
}

// reserve takes n more bytes of the room.
func (b *body) reserve(n int64) error { return b.of.room.take(b.ctx, b, n) }

// release returns the buffer. Nothing that aliases it may be used any more.
func (b *body) release() {
	b.of.keep(b.bytes)
	b.abandon()
}

// abandon gives the buffer up without reuse, because somebody may still read it.
func (b *body) abandon() {
	b.bytes = nil
	if b.holder != nil {
		b.of.room.leave(b)
		b.holder = nil
	}
}

// drain reads the rest of the body for a while and keeps nothing: many clients lose an answer that
// comes while they send.
func (b *body) drain() { _, _ = io.CopyN(io.Discard, b, 3*int64(b.of.limit)) }

func (p *bodies) tooBig() error {
	return wire.Errorf(wire.CodeTooBig, "%s is at most %d bytes, also inflated%s", p.name, p.limit, p.hint)
}

// buffer returns an empty buffer of that size.
func (p *bodies) buffer(size int) []byte {
	if class, ok := classOf(size); ok {
		if b, ok := p.buffers[class].Get().(*[]byte); ok {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, size)
}

// keep returns a buffer to its pool.
func (p *bodies) keep(b []byte) {
	if class, ok := classOf(cap(b)); ok {
		b = b[:0]
		p.buffers[class].Put(&b)
	}
}

// classOf returns the index of the pool with buffers of that size. ok is false if there is none.
func classOf(size int) (class int, ok bool) {
	if size < firstBodyBytes || size > pooledBodyBytes || size&(size-1) != 0 {
		return 0, false
	}
	return bits.Len(uint(size)) - bits.Len(firstBodyBytes), true
}
