package link

import (
	"crypto/tls"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

type security = tls.Config

// UserTimeout is how long bytes may be on their way without an acknowledgement before the connection counts as broken.
// Beats flow four times a second, so that a cut is found by it.
const UserTimeout = 2 * time.Second

const (
	maxMessage = 16 << 20 // a batch of parcels; gRPC's own 4 MiB lose larger ones without a word
	dialTime   = time.Second
)

// options are remote's.
func (l *Link) options(secure *security) []remote.ConfigOption {
	creds := insecure.NewCredentials()
	if secure != nil {
		creds = credentials.NewTLS(secure)
	}
	return []remote.ConfigOption{
		remote.WithEndpointWriterQueueSize(1024),
		remote.WithEndpointManagerQueueSize(1024),
		remote.WithEndpointWriterBatchSize(4), // tokens, each a parcel of up to maxParcel
		remote.WithServerOptions(
			grpc.Creds(creds),
			grpc.MaxRecvMsgSize(maxMessage),
			grpc.StreamInterceptor(l.serve),
			grpc.UnaryInterceptor(unary),
			grpc.WaitForHandlers(true),
			grpc.ConnectionTimeout(5*time.Second),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Second, Timeout: UserTimeout}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		),
		remote.WithDialOptions(
			grpc.WithTransportCredentials(creds),
			grpc.WithStreamInterceptor(l.dial),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
			grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialTime, Backoff: backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: dialTime}}),
			// gRPC pings at most every 10 s. What finds a cut is the timeout: it is also the socket's TCP_USER_TIMEOUT.
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: UserTimeout, PermitWithoutStream: true}),
		),
	}
}
