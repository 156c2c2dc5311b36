package link

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// UserTimeout is how long sent bytes may stay unacknowledged before the connection counts as
// broken. Beats flow four times a second, so a cut is detected after this time.
const UserTimeout = 2 * time.Second

const (
	// Window is how many bytes of a stream may be in flight that its reader has not consumed.
	Window = 1 << 20
	// connWindow is the window of all streams of a connection together. gRPC frees it whatever the
	// readers do.
	connWindow = 4 << 20
	// maxStreams is how many calls and streams of a peer run at the same time; more wait at the
	// peer.
	maxStreams = 2048

	dialTime     = time.Second
	maxHandshake = 5 * time.Second
)

func (l *Link) serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(l.creds),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.InitialWindowSize(Window), grpc.InitialConnWindowSize(connWindow),
		grpc.StreamInterceptor(l.stream),
		grpc.StatsHandler(l.meter),
		grpc.WaitForHandlers(true),
		grpc.ConnectionTimeout(maxHandshake),
		// A peer beats four times a second on its connection, so a live one is never pinged.
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Second, Timeout: UserTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	}
}

func (l *Link) dialOptions(to Peer) []grpc.DialOption {
	dial, creds := l.network.Dial, l.creds
	if to == l.self {
		dial = func(ctx context.Context, _ string) (net.Conn, error) { return l.own.dial(ctx) }
		creds = insecure.NewCredentials()
	}
	return []grpc.DialOption{
		grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithStatsHandler(l.meter),
		grpc.WithInitialWindowSize(Window), grpc.WithInitialConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{}), grpc.MaxCallRecvMsgSize(MaxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialTime, Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: dialTime}}),
		// gRPC pings at most every 10 s. A cut is detected by the timeout, which is also the
		// socket's TCP_USER_TIMEOUT.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: UserTimeout, PermitWithoutStream: true}),
	}
}

// handshakes wraps the credentials and logs failures: gRPC itself reports them at one end at most.
type handshakes struct {
	credentials.TransportCredentials
	link *Link
}

// ClientHandshake implements credentials.TransportCredentials.
func (h handshakes) ClientHandshake(ctx context.Context, authority string, raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := h.TransportCredentials.ClientHandshake(ctx, authority, raw)
	if err != nil {
		h.link.warn("the TLS handshake with another node failed", "peer", authority, "reason", err)
	}
	return c, info, err
}

// ServerHandshake implements credentials.TransportCredentials.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if _, own := raw.(inner); own {
		return insecure.NewCredentials().ServerHandshake(raw)
	}
	c, info, err := h.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		h.link.warn("refused a connection to the link: the TLS handshake failed", "from", raw.RemoteAddr().String(), "reason", err)
	}
	return c, info, err
}

// Clone implements credentials.TransportCredentials.
func (h handshakes) Clone() credentials.TransportCredentials {
	return handshakes{h.TransportCredentials.Clone(), h.link}
}
