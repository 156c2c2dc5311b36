package link

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// beats is the service of beats: a stream from each peer.
var beats = grpc.ServiceDesc{
	ServiceName: beatService, HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Beat", ClientStreams: true, Handler: func(l any, s grpc.ServerStream) error {
		return l.(*Link).hear(s)
	}}},
}

const (
	beatService = "dashfeed.beat"
	beatMethod  = "/" + beatService + "/Beat"
	// heardKey is a header that says that a peer takes beats.
	heardKey = "dashfeed-heard"
	// beatIdle is how long a stream of beats is kept without one: whoever left the cluster gets no
	// more of them.
	beatIdle = 10 * time.Second
)

// hear takes a peer's beats until its stream ends.
func (l *Link) hear(s grpc.ServerStream) error {
	from := From(s.Context())
	if err := s.SendHeader(metadata.Pairs(heardKey, "1")); err != nil {
		return err
	}
	l.present(from, 1)
	var m Message
	for {
		err := s.RecvMsg(&m)
		if err == nil {
			l.handle(from, m)
			continue
		}
		if l.present(from, -1) == 0 {
			l.lose(from, err)
		}
		if err == io.EOF {
			return nil
		}
		return err
	}
}

// present counts the streams that a peer beats on: one that has opened another is not lost with the
// first.
func (l *Link) present(p Peer, more int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.heard[p] + more
	if l.heard[p] = n; n == 0 {
		delete(l.heard, p)
	}
	return n
}

// sender sends beats to a peer.
type sender struct {
	link *Link
	peer Peer
	wake chan struct{}

	mu     sync.Mutex
	body   []byte // the newest that has not gone; nil: none
	over   bool   // its goroutine ends
	warned time.Time
}

// Beat sends a beat on its way and returns. The body is not changed any more. Whether it arrives,
// nobody tells.
func (l *Link) Beat(to Peer, body []byte) {
	if len(body) > MaxMessage || len(body) == 0 {
		l.meter.drop("size")
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.senders[to]
	switch {
	case !l.started || l.closed:
		l.meter.drop("closed")
	case s != nil && s.put(body):
	case s == nil && len(l.senders) >= MaxPeers:
		l.meter.drop("too many peers")
	default:
		s = &sender{link: l, peer: to, wake: make(chan struct{}, 1)}
		l.senders[to] = s
		s.put(body)
		l.work.Go(s.run)
	}
}

// put replaces the beat that waits; false where nobody sends it any more.
func (s *sender) put(body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	if s.body != nil {
		s.link.meter.drop("full")
	}
	s.body = body
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// next is the beat to send; nil where none has come for long, or the link closes.
func (s *sender) next(broke <-chan error) (body []byte, err error) {
	idle := time.NewTimer(beatIdle)
	defer idle.Stop()
	for waits := true; body == nil && waits; {
		select {
		case <-s.wake:
		case <-idle.C:
			waits = false
		case err = <-broke:
			return nil, err
		case <-s.link.ctx.Done():
			waits = false
		}
		s.mu.Lock()
		body, s.body = s.body, nil
		s.over = body == nil && !waits
		s.mu.Unlock()
	}
	return body, nil
}

// run sends until no beats come any more.
func (s *sender) run() {
	defer s.leave()
	conn, err := s.link.Dial(s.peer)
	if err != nil {
		s.fail(err)
		return
	}
	defer conn.Close()
	for {
		body, _ := s.next(nil)
		if body == nil {
			return
		}
		s.stream(conn, body)
	}
}

func (s *sender) leave() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if s.link.senders[s.peer] == s {
		delete(s.link.senders, s.peer)
	}
}

// stream sends beats, this one first, until the stream breaks or they end.
func (s *sender) stream(conn *Conn, body []byte) {
	ctx, cancel := context.WithCancel(s.link.ctx)
	defer cancel()
	out, err := conn.NewStream(ctx, &beats.Streams[0], beatMethod)
	if err == nil {
		err = accepted(out)
	}
	if err != nil {
		s.fail(err)
		return
	}
	s.link.meter.connections.Inc()
	defer s.link.meter.connections.Dec()
	broke := make(chan error, 1)
	s.link.work.Go(func() { // ends with ctx at the latest
		var err error
		for err == nil {
			err = out.RecvMsg(new(Message))
		}
		broke <- err
	})
	for body != nil {
		if out.SendMsg((*Message)(&body)) != nil {
			err = <-broke // SendMsg says no more than that it broke
		} else {
			body, err = s.next(broke)
		}
		if err != nil {
			s.link.lose(s.peer, err)
			return
		}
	}
}

// accepted waits until the peer takes the stream.
func accepted(s grpc.ClientStream) error {
	head, err := s.Header()
	if err == nil && len(head.Get(heardKey)) == 0 {
		err = s.RecvMsg(new(Message))
	}
	return err
}

// fail tells that the peer was not reached, with a warning where it will not be until somebody
// changes something.
func (s *sender) fail(err error) {
	if s.link.ctx.Err() != nil {
		return
	}
	s.link.meter.unreached.Inc()
	// gRPC hands on as a text what TLS says at the other end, and what it does where only one end
	// speaks TLS.
	text := err.Error()
	handshake := strings.Contains(text, "tls: ") || strings.Contains(text, "reading server preface: EOF")
	if !handshake && status.Code(err) != refused || time.Since(s.warned) < time.Minute {
		s.link.logger.Debug("another node is not reached", "peer", s.peer.String(), "reason", err)
		return
	}
	s.warned = time.Now()
	if handshake {
		s.link.logger.Warn("another node does not take this one's connection: check that both have TLS or none, and the certificates", "peer", s.peer.String(), "reason", err)
		return
	}
	s.link.logger.Warn("another node refuses this one", "peer", s.peer.String(), "reason", err)
}
