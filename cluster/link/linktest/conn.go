package linktest

import (
	"io"
	"net"
	"time"
)

// conn is one end of a connection, with the data that comes in. The network's mu guards everything.
type conn struct {
	network *Network
	other   *conn
	way     way // direction of the incoming data

	chunks  []chunk
	bytes   int
	arrives time.Time // when the last chunk arrives: chunks stay in order
	left    int       // bytes that come in until it breaks; negative: it does not break
	err     error     // set if it is broken, or closed here
	ended   bool      // closed at the other end, after the chunks
	timer   *time.Timer
}

// chunk is some bytes in transit.
type chunk struct {
	b  []byte
	at time.Time // when they arrive
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		stalled := n.stalled[c.way]
		switch {
		case c.err != nil:
			return 0, c.err
		case stalled:
		case len(c.chunks) == 0 && c.ended:
			return 0, io.EOF
		case len(c.chunks) > 0:
			first := &c.chunks[0]
			if late := time.Until(first.at); late > 0 {
				time.AfterFunc(late, n.wake)
				break
			}
			size := copy(b, first.b)
			if first.b = first.b[size:]; len(first.b) == 0 {
				c.chunks = c.chunks[1:]
			}
			c.bytes -= size
			n.changed.Broadcast()
			return size, nil
		}
		n.changed.Wait()
	}
}

func (n *Network) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changed.Broadcast()
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (written int, err error) {
	n, to := c.network, c.other
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(b) > 0 {
		switch {
		case c.err != nil:
			return written, c.err
		case to.err != nil && !n.stalled[to.way]:
			c.err = to.err // it is closed there: a reset comes back
			return written, io.ErrClosedPipe
		case to.bytes >= socketBytes:
			n.changed.Wait()
			continue
		}
		size := min(len(b), socketBytes-to.bytes)
		tears := to.left >= 0 && size > to.left
		if tears {
			size = to.left
		}
		to.put(b[:size])
		n.sent[to.way] += size
		written, b = written+size, b[size:]
		if to.left >= 0 {
			to.left -= size
		}
		if tears {
			n.broken(c)
		}
	}
	return written, nil
}

// put sends bytes on their way.
func (c *conn) put(b []byte) {
	at := time.Now()
	if n := c.network; n.delay > 0 {
		at = at.Add(time.Duration(n.rng.Int64N(int64(n.delay))))
	}
	if at.Before(c.arrives) {
		at = c.arrives
	}
	c.arrives = at
	c.chunks = append(c.chunks, chunk{append([]byte(nil), b...), at})
	c.bytes += len(b)
	c.network.changed.Broadcast()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.err == nil {
		c.err = net.ErrClosed
	}
	c.other.ended = true
	delete(n.conns, c)
	if c.timer != nil {
		c.timer.Stop()
	}
	n.changed.Broadcast()
	return nil
}

// SetDeadline implements net.Conn: at the deadline the connection breaks.
func (c *conn) SetDeadline(t time.Time) error {
	n := c.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if !t.IsZero() {
		c.timer = time.AfterFunc(time.Until(t), func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.broken(c)
		})
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return address(c.way.to) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return address(c.way.from) }
