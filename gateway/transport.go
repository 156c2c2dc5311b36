package gateway

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// transport is a client's connection as its session sees it; webSocket is one. It decides how
// messages are framed, how a client is pinged, and what a close looks like.
//
// The session's reader calls read and discard, its writer calls write and hangUp. Any goroutine may
// call limitWrites and close.
type transport interface {
	// read waits for the client's next message and passes it to take. The payload is valid until take
	// returns. An error ends reading: errClosed, a *violation, or what broke the connection.
	read(take func(kind messageKind, payload []byte)) error
	// discard reads what the client still sends, until the time given to hangUp.
	discard()
	// write sends a batch, and returns how many bytes the network has taken.
	write(b outgoing) (n int64, err error)
	// limitWrites makes a write end with os.ErrDeadlineExceeded at that time, including one under way.
	limitWrites(until time.Time)
	// hangUp follows the last write. The client may answer until the given time.
	hangUp(until time.Time)
	// close breaks the connection. It may be called again.
	close()
}

// messageKind is the kind of a message, for transports that distinguish them.
type messageKind uint8

const (
	textMessage messageKind = iota
	binaryMessage
	pongMessage // the transport's own answer to a ping
)

// message is one message to a client. Its payload is never changed.
type message struct {
	kind    messageKind
	payload []byte
}

// outgoing is a batch that is written at once: answers and notices, an update, a ping, and the
// close, after which nothing is sent, in this order.
type outgoing struct {
	messages []message
	update   *frame // shared with other sessions; nil: none
	ping     bool
	closing  wire.CloseCode // 0: the connection stays
}

func (b *outgoing) empty() bool {
	return len(b.messages) == 0 && (b.update == nil || len(b.update.payloads) == 0) && !b.ping && b.closing == 0
}

// messageOf returns a frame as a message of the protocol.
func messageOf(f wire.Frame) message { return message{textMessage, wire.Encode(f)} }

// errClosed ends reading if the client has closed the connection properly.
var errClosed = errors.New("the client closes")

// violation says what a client did that its transport does not allow.
type violation struct {
	code wire.CloseCode // code of the close that follows
	what string
}

func (v *violation) Error() string { return v.what }

func violated(code wire.CloseCode, format string, args ...any) error {
	return &violation{code, fmt.Sprintf(format, args...)}
}

// isTimeout reports whether a write ended by its deadline.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
