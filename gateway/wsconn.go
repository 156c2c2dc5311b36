package gateway

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"time"
)

// webSocket is the transport of an upgraded connection: RFC 6455 without extensions. The library
// makes the handshake; wsread.go reads frames, and wsframe.go makes them.
type webSocket struct {
	conn  net.Conn
	in    incoming   // used by the reader
	table *connTable // table that counts the connection
}

// sendBuffer is the size of the kernel's send buffer: how many bytes of old updates a slow client
// still has to read.
const sendBuffer = 32 << 10

// copiedBytes is the size up to which a batch is copied into one buffer and written from there. A
// write that waits for its client holds this much. A longer batch is written without copying.
const copiedBytes = 4 << 10

// newWebSocket takes over a connection. limit is the most bytes of a message.
func newWebSocket(conn net.Conn, limit int, table *connTable) *webSocket {
	if tcp, ok := socketOf(conn).(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // otherwise the kernel would queue megabytes of old updates
	}
	return &webSocket{conn: conn, table: table, in: incoming{r: bufio.NewReaderSize(conn, readBuffer), limit: limit}}
}

// attach passes pings and pongs to the session.
func (w *webSocket) attach(s *session) {
	w.in.control = func(op byte, payload []byte) {
		s.alive()
		if op == opPing && s.tooMany() == nil {
			s.queue(message{pongMessage, append([]byte(nil), payload...)}, nil)
		}
	}
}

var messageBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// read implements transport. It holds no buffer for the message while it waits.
func (w *webSocket) read(take func(kind messageKind, payload []byte)) error {
	h, err := w.in.next()
	if err != nil {
		return err
	}
	b := messageBuffers.Get().(*[]byte)
	defer messageBuffers.Put(b)
	if *b, err = w.in.rest(h, (*b)[:0]); err != nil {
		return err
	}
	kind := textMessage
	if h.op == opBinary {
		kind = binaryMessage
	}
	take(kind, *b)
	return nil
}

var writeBuffers = sync.Pool{New: func() any { b := make([]byte, 0, copiedBytes); return &b }}

// write implements transport.
func (w *webSocket) write(b outgoing) (int64, error) {
	if sizeOf(&b) > copiedBytes {
		bufs := buffersOf(&b)
		if _, encrypted := w.conn.(*tls.Conn); encrypted {
			return writeRecords(w.conn, bufs)
		}
		return bufs.WriteTo(w.conn)
	}
	buf := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buf)
	*buf = appendBatch((*buf)[:0], &b)
	n, err := w.conn.Write(*buf)
	return int64(n), err
}

var recordBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 16<<10) }}

// writeRecords writes buffers in records of TLS that are as long as they may be. Without it, each
// buffer would be a record of its own, with its own system call.
func writeRecords(to io.Writer, bufs net.Buffers) (n int64, err error) {
	w := recordBuffers.Get().(*bufio.Writer)
	defer recordBuffers.Put(w)
	w.Reset(to)
	defer w.Reset(nil) // the pool must not hold the connection
	for _, b := range bufs {
		wrote, err := w.Write(b)
		n += int64(wrote)
		if err != nil {
			return n - int64(w.Buffered()), err
		}
	}
	waiting := w.Buffered()
	if err = w.Flush(); err != nil {
		n -= int64(waiting)
	}
	return n, err
}

// limitWrites implements transport.
func (w *webSocket) limitWrites(until time.Time) { _ = w.conn.SetWriteDeadline(until) }

// hangUp implements transport.
func (w *webSocket) hangUp(until time.Time) {
	_ = w.conn.SetReadDeadline(until)
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// discard implements transport.
func (w *webSocket) discard() { _, _ = io.Copy(io.Discard, w.conn) }

// close implements transport.
func (w *webSocket) close() {
	_ = w.conn.Close()
	w.table.ended(w.conn)
}

// socketOf returns the connection below TLS, which is the one that the listener has accepted.
func socketOf(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}
