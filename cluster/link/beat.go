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

// beats is the gRPC service for beats: one stream from each peer.
var beats = grpc.ServiceDesc{
	ServiceName: beatService, HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Beat", ClientStreams: true, Handler: func(l any, s grpc.ServerStream) error {
		return l.(*Link).hear(s)
	}}},
}

const (
	beatService = "dashfeed.beat"
	beatMethod  = "/" + beatService + "/Beat"
	// heardKey is the header with which a peer confirms that it receives beats.
	heardKey = "dashfeed-heard"
	// beatIdle is how long a stream of beats stays open without a beat: a peer that left the
	// cluster gets no more of them.
	beatIdle = 10 * time.Second
)

// hear receives a peer's beats until its stream ends.
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

// present counts the streams on which a peer beats: a peer that has opened another one is not lost
// when the first ends.
func (l *Link) present(p Peer, more int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.heard[p] + more
	if l.heard[p] = n; n == 0 {
		delete(l.heard, p)
	}
	return n
}

// sender sends beats to one peer.
type sender struct {
	link *Link
	peer Peer
	wake chan struct{}

	mu     sync.Mutex
	body   []byte // the newest beat that was not sent yet; nil: none
	over   bool   // its goroutine is ending
	warned time.Time
}

// Beat queues a beat for sending and returns at once. The caller must not change the body
// afterwards. Nothing reports whether the beat arrives.
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

// put replaces the waiting beat; it returns false if the sender is ending.
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

// next returns the beat to send; nil if none came for beatIdle, or the link closes.
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

// run sends beats until none come any more.
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

// stream sends beats, body first, until the stream breaks or no beats come.
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
			err = <-broke // SendMsg only says that it broke; RecvMsg says why
		} else {
			body, err = s.next(broke)
		}
		if err != nil {
			s.link.lose(s.peer, err)
			return
		}
	}
}

// accepted waits until the peer accepts the stream.
func accepted(s grpc.ClientStream) error {
	head, err := s.Header()
	if err == nil && len(head.Get(heardKey)) == 0 {
		err = s.RecvMsg(new(Message))
	}
	return err
}

// fail logs that the peer was not reached. It warns if only a change of configuration can help.
func (s *sender) fail(err error) {
	if s.link.ctx.Err() != nil {
		return
	}
	s.link.meter.unreached.Inc()
	// gRPC passes on TLS errors only as text: those of the other end, and those of a connection
	// where only one end uses TLS.
	text := err.Error()
	handshake := strings.Contains(text, "tls: ") || strings.Contains(text, "reading server preface: EOF")
	if !handshake && status.Code(err) != refused || time.Since(s.warned) < time.Minute {
		s.link.logger.Debug("another node cannot be reached", "peer", s.peer.String(), "reason", err)
		return
	}
	s.warned = time.Now()
	if handshake {
		s.link.logger.Warn("another node does not accept this node's connection: check that both use TLS or neither does, and check the certificates", "peer", s.peer.String(), "reason", err)
		return
	}
	s.link.logger.Warn("another node refuses this one", "peer", s.peer.String(), "reason", err)
}
