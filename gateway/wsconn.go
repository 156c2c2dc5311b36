package gateway

import (
	"bufio"
	"io"
	"net"
	"sync"
	"time"
)

// webSocket is the transport of a connection that has been upgraded: RFC 6455 without extensions.
// The handshake is the library's; frames are read by wsread.go and made by wsframe.go.
type webSocket struct {
	conn  net.Conn
	in    incoming   // the reader's
	table *connTable // that counts it
}

// sendBuffer is the size of a kernel's send buffer: what a slow client has yet to read of the past.
const sendBuffer = 32 << 10

// copiedBytes is up to what size a batch is put into one buffer, and written from there. A write
// that waits for its client holds so much; what is longer is written from where it lies.
const copiedBytes = 4 << 10

// newWebSocket takes over a connection. Messages have at most limit bytes.
func newWebSocket(conn net.Conn, limit int, table *connTable) *webSocket {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // else the kernel would queue megabytes of old updates
	}
	return &webSocket{conn: conn, table: table, in: incoming{r: bufio.NewReaderSize(conn, readBuffer), limit: limit}}
}

// attach has pings and pongs be told to the session.
func (w *webSocket) attach(s *session) {
	w.in.control = func(op byte, payload []byte) {
		s.alive()
		if op == opPing {
			s.queue(message{pongMessage, append([]byte(nil), payload...)}, nil)
		}
	}
}

var messageBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// read is a transport's. While it waits it holds no buffer for the message.
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

// write is a transport's.
func (w *webSocket) write(b outgoing) (int64, error) {
	if sizeOf(&b) > copiedBytes {
		bufs := buffersOf(&b)
		return bufs.WriteTo(w.conn)
	}
	buf := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buf)
	*buf = appendBatch((*buf)[:0], &b)
	n, err := w.conn.Write(*buf)
	return int64(n), err
}

// limitWrites is a transport's.
func (w *webSocket) limitWrites(until time.Time) { _ = w.conn.SetWriteDeadline(until) }

// hangUp is a transport's.
func (w *webSocket) hangUp(until time.Time) {
	_ = w.conn.SetReadDeadline(until)
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// discard is a transport's.
func (w *webSocket) discard() { _, _ = io.Copy(io.Discard, w.conn) }

// close is a transport's.
func (w *webSocket) close() {
	_ = w.conn.Close()
	w.table.ended(w.conn)
}
