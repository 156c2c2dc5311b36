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

// lobby answers at the public address that the server is starting, until its door serves there: who
// comes early is told to come again soon, and does not wait for an answer that may take as long as
// the broker is away.
//
// Its goroutine is the server's, which runs serve once; close waits for the end of that.
type lobby struct {
	http   *http.Server
	l      *lent
	served chan struct{} // closed when serve has ended
}

func newLobby(l net.Listener) *lobby {
	h := &http.Server{Handler: http.HandlerFunc(gateway.ServeStarting), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	h.SetKeepAlivesEnabled(false) // who asks again comes to the door
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

// close ends it and leaves the listener open. Who is being answered gets a moment; those who
// connect meanwhile wait for the door.
func (b *lobby) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := b.http.Shutdown(ctx)
	if err != nil {
		err = b.http.Close()
	}
	<-b.served // it closes the listener once more
	return errors.Join(err, b.l.giveBack())
}

// lent is a listener that is closed for one server only: the next one serves it too.
type lent struct{ net.Listener }

// deadliner is what a listener of TCP can do.
type deadliner interface{ SetDeadline(time.Time) error }

// Accept implements net.Listener.
func (l *lent) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return c, err
}

// Close has Accept return, and closes nothing.
func (l *lent) Close() error { return l.Listener.(deadliner).SetDeadline(time.Unix(1, 0)) }

func (l *lent) giveBack() error { return l.Listener.(deadliner).SetDeadline(time.Time{}) }
