package governance

import (
	"cmp"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// tuning is policyv1.Tuning with defaults.
type tuning struct {
	message                  int
	streamWindow, connWindow int32
	metadata                 uint32
	gzip                     bool
	// keepalive is 0 if silent connections are not probed.
	keepalive, keepaliveAnswer time.Duration
	// ping is the interval of a client's HTTP/2 pings. idlePing means that it pings without calls too.
	ping     time.Duration
	idlePing bool
}

// permittedPing is an interval that every server of gRPC permits while there are calls: the shortest is five minutes by default.
const permittedPing = 6 * time.Minute

func tuningOf(p *policyv1.Tuning) tuning {
	t := tuning{message: int(p.GetMaxMessageBytes()), streamWindow: int32(p.GetStreamWindowBytes()), connWindow: int32(p.GetConnectionWindowBytes()),
		metadata: p.GetMaxMetadataBytes(), gzip: p.GetGzip(),
		keepalive: durationOr(p.GetKeepaliveTime(), 10*time.Second), keepaliveAnswer: durationOr(p.GetKeepaliveTimeout(), 3*time.Second)}
	// The server of a client for which the policy sets an interval has to permit it.
	t.ping, t.idlePing = permittedPing, false
	if p.GetKeepaliveTime() != nil {
		t.ping, t.idlePing = t.keepalive, true
	}
	if p.GetKeepaliveNone() {
		t.keepalive, t.ping = 0, 0
	}
	t.message = cmp.Or(t.message, 16<<20)
	t.streamWindow = cmp.Or(t.streamWindow, 1<<20)
	t.connWindow = cmp.Or(t.connWindow, 1<<20)
	t.metadata = cmp.Or(t.metadata, 16<<10)
	return t
}

// server returns the options of a server. Setting one window switches off grpc-go's dynamic estimate and leaves the other window at 64 KiB,
// so both are set.
func (t tuning) server(maxAge, maxAgeGrace time.Duration) []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(t.message), grpc.MaxSendMsgSize(t.message),
		grpc.InitialWindowSize(t.streamWindow), grpc.InitialConnWindowSize(t.connWindow),
		grpc.MaxHeaderListSize(t.metadata),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		// 0 means no limit.
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: max(0, maxAge), MaxConnectionAgeGrace: max(0, maxAgeGrace),
			Time: cmp.Or(t.keepalive, math.MaxInt64), Timeout: t.keepaliveAnswer}),
	}
}

// client returns the options of a client, with its credentials.
func (t tuning) client(transport credentials.TransportCredentials) []grpc.DialOption {
	calls := []grpc.CallOption{grpc.MaxCallRecvMsgSize(t.message), grpc.MaxCallSendMsgSize(t.message)}
	if t.gzip {
		calls = append(calls, grpc.UseCompressor(gzip.Name))
	}
	options := []grpc.DialOption{
		grpc.WithDefaultCallOptions(calls...),
		grpc.WithInitialWindowSize(t.streamWindow), grpc.WithInitialConnWindowSize(t.connWindow),
		grpc.WithMaxHeaderListSize(t.metadata),
	}
	if t.keepalive == 0 {
		return append(options, grpc.WithTransportCredentials(noProbes{transport}))
	}
	return append(options, grpc.WithTransportCredentials(tcpProbes{transport, t.keepalive, t.keepaliveAnswer}),
		// grpc-go also sets TCP_USER_TIMEOUT to this time-out: what was sent must be acknowledged within it.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: t.ping, Timeout: t.keepaliveAnswer, PermitWithoutStream: t.idlePing}))
}

func durationOr(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}
