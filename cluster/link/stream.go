package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
)

// dial is gRPC's stream interceptor on the side that sends. Remote's writer sleeps 2 s, and all its mail with it, when a
// stream can't be opened. So a stream always opens: one that failed is given out broken, its first Recv after the handshake
// tells so, remote then throws its endpoint away, and the next Send dials anew.
func (l *Link) dial(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	ctx, cancel := context.WithCancel(ctx)
	address, _, _ := bare(cc.Target())
	s := &outgoing{link: l, cancel: cancel, peer: Peer{Address: address}}
	s.ClientStream, s.broken = open(ctx, desc, cc, method, opts...)
	if s.broken == nil && !l.streams.add(s) {
		s.broken = errClosed
	}
	return s, nil
}

var errClosed = errors.New("the link is closed")

// outgoing is a stream that we write to.
type outgoing struct {
	grpc.ClientStream // nil if it never opened
	link              *Link
	cancel            context.CancelFunc

	// Written during the handshake and by the reader after it; remote does one after the other.
	peer   Peer
	shaken bool
	told   sync.Once

	mu     sync.Mutex
	broken error
}

// SendMsg never fails: the reader tells that a stream is broken, and remote's way of hearing it here is to forget it.
func (s *outgoing) SendMsg(m any) error {
	if s.fault() == nil {
		if err := s.ClientStream.SendMsg(m); err != nil && !errors.Is(err, io.EOF) {
			s.fail(err)
		}
	}
	return nil
}

// RecvMsg receives the answer to the handshake, then nothing until the stream ends.
func (s *outgoing) RecvMsg(m any) error {
	err := s.fault()
	if err == nil {
		err = s.ClientStream.RecvMsg(m)
	}
	msg, _ := m.(*remote.RemoteMessage)
	if s.shaken {
		if err == nil && msg.GetDisconnectRequest() != nil {
			err = errors.New("the peer is going")
		}
		if err != nil {
			s.end(err)
			// Not io.EOF: that would leave a dead endpoint in its place.
			return fmt.Errorf("stream to %s: %w", s.peer, s.fault())
		}
		return nil
	}
	s.shaken = true
	if err != nil {
		s.fail(err)
		if msg != nil {
			msg.MessageType = &remote.RemoteMessage_ConnectResponse{ConnectResponse: &remote.ConnectResponse{}}
		}
		return nil
	}
	s.peer.Name = msg.GetConnectResponse().GetMemberId()
	s.link.meter.connections.Inc()
	return nil
}

func (s *outgoing) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

func (s *outgoing) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = fmt.Errorf("%w", err)
	}
}

// end tells once that a stream that was there is gone.
func (s *outgoing) end(err error) {
	s.fail(err)
	s.cancel()
	s.told.Do(func() {
		s.link.streams.remove(s)
		if s.peer.Name == "" {
			s.link.meter.unreached.Inc()
			return
		}
		s.link.meter.connections.Dec()
		s.link.lose(s.peer, err)
	})
}

// CloseSend is remote's goodbye.
func (s *outgoing) CloseSend() error {
	s.cancel()
	if s.ClientStream == nil {
		return nil
	}
	return s.ClientStream.CloseSend()
}

// streams are those open to others, so that Close can end them.
type streams struct {
	mu     sync.Mutex
	all    map[*outgoing]bool
	closed bool
}

func (s *streams) add(o *outgoing) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.all == nil {
		s.all = map[*outgoing]bool{}
	}
	s.all[o] = true
	return true
}

func (s *streams) remove(o *outgoing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, o)
}

func (s *streams) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for o := range s.all {
		o.cancel()
	}
}
