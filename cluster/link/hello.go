package link

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Version is the version of everything that is spoken on a link. It changes if an older end could
// not understand the newer one.
const Version = 3

// helloKey is the header of every call and stream.
const helloKey = "dashfeed-hello-bin"

// hello says who calls, and whom.
type hello struct {
	version uint64
	cluster string
	from    Peer
	to      string // incarnation
}

func (h hello) encode() string {
	b := binary.AppendUvarint(nil, h.version)
	for _, s := range []string{h.cluster, h.from.Name, h.from.Address, h.to} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return string(b)
}

// decodeHello stops after the version if the version differs: the rest may have another format.
func decodeHello(text string) (h hello, err error) {
	b := []byte(text)
	next := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			err = errors.New("the hello is truncated")
			return 0
		}
		b = b[size:]
		return n
	}
	if h.version = next(); err != nil || h.version != Version {
		return h, err
	}
	for _, s := range []*string{&h.cluster, &h.from.Name, &h.from.Address, &h.to} {
		n := next()
		if n > uint64(len(b)) {
			return h, errors.New("the hello is truncated")
		}
		*s, b = string(b[:n]), b[n:]
	}
	return h, err
}

// refused is the code of errors that no retry can fix: an operator has to change something.
const refused = codes.FailedPrecondition

// admit finds out who calls, or refuses with an error that says why.
func (l *Link) admit(ctx context.Context) (Peer, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	said := md.Get(helloKey)
	if len(said) != 1 {
		return Peer{}, status.Error(refused, "the caller does not say who it is: it is not a dashfeed process")
	}
	h, err := decodeHello(said[0])
	switch {
	case err != nil:
		return Peer{}, status.Error(refused, err.Error())
	case h.version != Version:
		return Peer{}, status.Errorf(refused, "%s speaks version %d of the link, the caller version %d: upgrade the older one", l.self.Name, Version, h.version)
	case h.cluster != l.cluster:
		return Peer{}, status.Errorf(refused, "%s belongs to cluster %q, %s to cluster %q", l.self.Name, l.cluster, h.from, h.cluster)
	case !h.from.valid():
		return Peer{}, status.Errorf(refused, "the caller's name %q or address %q is not valid", h.from.Name, h.from.Address)
	case h.to != l.self.Name:
		return Peer{}, status.Errorf(codes.NotFound, "this process is %s, not %s, which is another start of the same node", l.self.Name, h.to)
	}
	return h.from, nil
}

type callerKey struct{}

// From returns who called; call it in a handler.
func From(ctx context.Context) Peer {
	p, _ := ctx.Value(callerKey{}).(Peer)
	return p
}

// called is a stream of an admitted caller.
type called struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s called) Context() context.Context { return s.ctx }

// stream admits a stream, and closes it if its handler panics on a message.
func (l *Link) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	from, err := l.admit(ss.Context())
	if err != nil {
		return err
	}
	defer l.recover(from, &err)
	return handle(srv, called{ss, context.WithValue(ss.Context(), callerKey{}, from)})
}

func (l *Link) recover(from Peer, err *error) {
	if r := recover(); r != nil {
		l.meter.panics.Inc()
		l.logger.Error("closed a stream: a message from another node made its handler panic; check that both nodes run the same release",
			"peer", from.String(), "reason", r, "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, fmt.Sprint("the receiver panicked: ", r))
	}
}
