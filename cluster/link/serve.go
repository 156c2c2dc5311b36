package link

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// serve is gRPC's stream interceptor on the side that receives. It refuses until Start, so that nothing arrives without its
// handler; it recovers, since remote panics at a message of an unknown type; and it learns from the handshake who is there.
func (l *Link) serve(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	if !l.started.Load() || l.closed.Load() {
		return status.Error(codes.Unavailable, "not started yet, or closed: try again")
	}
	s := &incoming{ServerStream: ss}
	defer func() {
		if r := recover(); r != nil {
			l.meter.panics.Inc()
			l.logger.Error("a message from another node made the link fail, its connection is closed; do both run the same release?",
				"peer", s.peer.String(), "reason", r, "stack", string(debug.Stack()))
			err = status.Errorf(codes.InvalidArgument, "the receiver failed: %v", r)
		}
		if s.peer.Name != "" {
			l.lose(s.peer, err)
		}
	}()
	return handle(srv, s)
}

// unary refuses everything that isn't our stream: remote answers these with a panic.
func unary(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
	return nil, status.Error(codes.Unimplemented, "not spoken here")
}

// incoming is a stream that another node writes to.
type incoming struct {
	grpc.ServerStream
	peer Peer
}

// RecvMsg notes who speaks.
func (s *incoming) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if msg, ok := m.(*remote.RemoteMessage); ok && err == nil {
		if c := msg.GetConnectRequest().GetServerConnection(); c != nil {
			s.peer = Peer{Name: c.GetSystemId(), Address: c.GetAddress()}
		}
	}
	return err
}

// inbox takes what is of one kind. It is a process of the actor system without a mailbox: a handler runs on the reader of
// the sender's stream, so that whoever sends faster than we handle fills its own window and not our memory.
type inbox struct {
	link *Link
	kind Kind
}

// SendUserMessage implements actor.Process.
func (b *inbox) SendUserMessage(_ *actor.PID, message any) {
	_, m, _ := actor.UnwrapEnvelope(message)
	a, ok := m.(arrived)
	if !ok || a.parcel.FromName == "" || Kind(a.parcel.Kind) != b.kind {
		b.link.meter.dropped.WithLabelValues(b.kind.String(), "unknown").Inc()
		return
	}
	from := Peer{Name: a.parcel.FromName, Address: a.parcel.FromAddress}
	for _, body := range a.parcel.Bodies {
		b.link.deliver(from, b.kind, body)
	}
}

// SendSystemMessage implements actor.Process: nobody may stop or watch an inbox.
func (b *inbox) SendSystemMessage(*actor.PID, any) {}

// Stop implements actor.Process.
func (b *inbox) Stop(*actor.PID) {}

// resolve finds the inboxes by the addresses of lanes, which remote takes for other machines'.
func (l *Link) resolve(pid *actor.PID) (actor.Process, bool) {
	address, _, ok := bare(pid.Address)
	if !ok || address != l.self.Address {
		return nil, false
	}
	p, found := l.system.ProcessRegistry.GetLocal(pid.Id)
	if !found {
		l.meter.dropped.WithLabelValues("any", "other incarnation").Inc()
		return void{}, true
	}
	return p, true
}

// void swallows what was sent to another incarnation.
type void struct{}

// SendUserMessage implements actor.Process.
func (void) SendUserMessage(*actor.PID, any) {}

// SendSystemMessage implements actor.Process.
func (void) SendSystemMessage(*actor.PID, any) {}

// Stop implements actor.Process.
func (void) Stop(*actor.PID) {}

// register puts an inbox for every kind that has a handler in its place.
func (l *Link) register() error {
	for _, k := range kinds {
		if l.handlers[k] == nil {
			continue
		}
		if _, ok := l.system.ProcessRegistry.Add(&inbox{l, k}, target(l.self.Name, k)); !ok {
			return fmt.Errorf("link: the inbox of %s is there already", k)
		}
	}
	return nil
}
