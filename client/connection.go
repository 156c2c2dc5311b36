package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	handshakeTimeout = 10 * time.Second
	writeTimeout     = 10 * time.Second
	silentAtFirst    = time.Minute // until the connected frame says how often the server pings
	maxFrameBytes    = 256 << 20   // decompressed; a snapshot of the largest dashboard is far below
)

// ClosedError says that the server closed the connection, and why. Codes of 4500 and above mean: do
// not reconnect.
type ClosedError struct {
	Code   int
	Reason string
}

func (e *ClosedError) Error() string {
	return fmt.Sprintf("connection closed by the server: %d %s", e.Code, e.Reason)
}

// connection is one WebSocket with the goroutines that read it and renew its token.
type connection struct {
	ws     *websocket.Conn
	server string
	opened time.Time
	frames chan wire.Frame // closed after the last frame
	quit   context.Context // ends with close
	cancel context.CancelFunc
	once   sync.Once
	tokens *tokens
	renew  chan time.Duration // to the renewer: the time in which the token expires; holds the newest
	mu     sync.Mutex         // one writer at a time
	token  string             // with mu
	done   sync.WaitGroup
	err    error // why reading ended; valid after frames is closed
}

// connect opens a WebSocket to the server with index turn.
func (c *Client) connect(ctx context.Context, turn uint32) (*connection, error) {
	d := websocket.Dialer{
		NetDialContext:    c.options.DialContext,
		HandshakeTimeout:  handshakeTimeout,
		Subprotocols:      []string{wire.Protocol},
		EnableCompression: true,
	}
	text, err := c.tokens.current(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	authorize(header, text)
	ws, response, err := d.DialContext(ctx, c.webSocket(turn).String(), header)
	if err != nil {
		if errors.Is(err, websocket.ErrBadHandshake) {
			body, _ := io.ReadAll(response.Body) // the dialer keeps at most 1 KiB of it
			if response.StatusCode == http.StatusUnauthorized {
				c.tokens.drop(text)
			}
			return nil, answered(response.StatusCode, response.Header, body)
		}
		return nil, &UnreachableError{serverOf(c.base(turn)), err}
	}
	ws.SetReadLimit(maxFrameBytes)
	conn := &connection{
		ws: ws, server: serverOf(c.base(turn)), opened: time.Now(), frames: make(chan wire.Frame),
		tokens: c.tokens, token: text, renew: make(chan time.Duration, 1),
	}
	conn.quit, conn.cancel = context.WithCancel(context.Background())
	conn.done.Go(conn.readAll)
	if c.tokens.renewable() {
		conn.done.Go(conn.renewAll)
	}
	return conn, nil
}

// read returns the channel of frames, or nil without a connection.
func (c *connection) read() <-chan wire.Frame {
	if c == nil {
		return nil
	}
	return c.frames
}

// stable reports whether the connection stayed up long enough to reset the backoff.
func (c *connection) stable() bool { return time.Since(c.opened) >= stableAfter }

func (c *connection) send(f wire.Frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WriteMessage(websocket.TextMessage, wire.Encode(f))
}

// readAll sends frames to the channel until the connection or its owner ends.
func (c *connection) readAll() {
	defer close(c.frames)
	quiet := silentAtFirst
	alive := func() { c.ws.SetReadDeadline(time.Now().Add(quiet)) }
	c.ws.SetPingHandler(func(data string) error {
		alive()
		err := c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writeTimeout))
		if errors.Is(err, websocket.ErrCloseSent) {
			return nil
		}
		return err
	})
	for {
		alive()
		_, b, err := c.ws.ReadMessage()
		if err != nil {
			if c.err = closing(err); unauthorized(c.err) {
				c.tokens.drop(c.bearer())
			}
			return
		}
		f, err := wire.ParseFrame(b)
		if err != nil {
			continue // skip unknown types: a later protocol may add messages
		}
		if hello, ok := f.(*wire.Connected); ok && hello.PingEvery > 0 {
			quiet = 2*time.Duration(hello.PingEvery)*time.Millisecond + 5*time.Second
		}
		if c.aboutToken(f) {
			continue
		}
		select {
		case c.frames <- f:
		case <-c.quit.Done():
			c.err = ErrSubscriptionClosed
			return
		}
	}
}

// close ends the connection, waits for its reader and returns why reading ended. A nil connection
// is already closed.
func (c *connection) close() error {
	if c == nil {
		return nil
	}
	c.once.Do(func() {
		c.cancel()
		c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		c.ws.Close()
	})
	c.done.Wait()
	return c.err
}

func closing(err error) error {
	var e *websocket.CloseError
	if errors.As(err, &e) && e.Code != websocket.CloseAbnormalClosure {
		return &ClosedError{e.Code, e.Text}
	}
	return fmt.Errorf("connection lost: %w", err)
}
