package roles

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/dashfeed/dashfeed/gateway"
)

// placeholder answers at the public address that the server is starting, until the door serves
// there. Early clients are asked to come again soon, instead of waiting for as long as the broker
// is down.
//
// The server owns its goroutine, which runs serve once; close joins it.
type placeholder struct {
	http   *http.Server
	l      *sharedListener
	served chan struct{} // closed when serve has ended
}

func newPlaceholder(l net.Listener, secure *tls.Config) *placeholder {
	h := &http.Server{Handler: http.HandlerFunc(gateway.ServeStarting), TLSConfig: secure, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, MaxHeaderBytes: 32 << 10}
	h.SetKeepAlivesEnabled(false) // the next request of a client must reach the door
	return &placeholder{http: h, l: &sharedListener{Listener: l}, served: make(chan struct{})}
}

// serve serves until close.
func (b *placeholder) serve(net.Listener) error {
	defer close(b.served)
	most := gateway.Connections{Max: gateway.MaxConnections(openFiles())}
	if err := gateway.Serve(b.http, b.l, most); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// close ends the placeholder and leaves the listener open. Requests in progress get 250 ms to end;
// new connections wait for the door.
func (b *placeholder) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := b.http.Shutdown(ctx)
	if err != nil {
		err = b.http.Close()
	}
	<-b.served // its end closes the listener once more
	return errors.Join(err, b.l.giveBack())
}

// sharedListener is a listener that Close closes for one server only: the next server uses it
// again.
type sharedListener struct{ net.Listener }

// deadliner is the part of a TCP listener that sharedListener needs.
type deadliner interface{ SetDeadline(time.Time) error }

// Accept implements net.Listener.
func (l *sharedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return c, err
}

// Close ends Accept and leaves the listener open.
func (l *sharedListener) Close() error { return l.Listener.(deadliner).SetDeadline(time.Unix(1, 0)) }

func (l *sharedListener) giveBack() error { return l.Listener.(deadliner).SetDeadline(time.Time{}) }
