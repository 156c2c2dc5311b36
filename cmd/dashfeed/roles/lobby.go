package roles

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dashfeed/dashfeed/gateway"
)

// lobby answers at the public address that the server is starting, until the door serves there.
// Early clients are asked to come again soon, instead of waiting for as long as the broker is down.
//
// The server owns its goroutine, which runs serve once; close joins it.
type lobby struct {
	http   *http.Server
	l      *lent
	served chan struct{} // closed when serve has ended
}

func newLobby(l net.Listener) *lobby {
	h := &http.Server{Handler: http.HandlerFunc(gateway.ServeStarting), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	h.SetKeepAlivesEnabled(false) // the next request of a client must reach the door
	return &lobby{http: h, l: &lent{Listener: l}, served: make(chan struct{})}
}

// serve serves until close.
func (b *lobby) serve(net.Listener) error {
	defer close(b.served)
	most := gateway.Connections{Max: gateway.MaxConnections(openFiles())}
	if err := gateway.Serve(b.http, b.l, most); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close ends the lobby and leaves the listener open. Requests in progress get 250 ms to end; new
// connections wait for the door.
func (b *lobby) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := b.http.Shutdown(ctx)
	if err != nil {
		err = b.http.Close()
	}
	<-b.served // its end closes the listener once more
	return errors.Join(err, b.l.giveBack())
}

// lent is a listener that Close closes for one server only: the next server uses it again.
type lent struct{ net.Listener }

// deadliner is the part of a TCP listener that lent needs.
type deadliner interface{ SetDeadline(time.Time) error }

// Accept implements net.Listener.
func (l *lent) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return c, err
}

// Close ends Accept and leaves the listener open.
func (l *lent) Close() error { return l.Listener.(deadliner).SetDeadline(time.Unix(1, 0)) }

func (l *lent) giveBack() error { return l.Listener.(deadliner).SetDeadline(time.Time{}) }
