package governance

import (
	"cmp"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// tuning is policyv1.Tuning with defaults.
type tuning struct {
	message                    int
	streamWindow, connWindow   int32
	metadata                   uint32
	gzip                       bool
	keepalive, keepaliveAnswer time.Duration
}

func tuningOf(p *policyv1.Tuning) tuning {
	t := tuning{message: int(p.GetMaxMessageBytes()), streamWindow: int32(p.GetStreamWindowBytes()), connWindow: int32(p.GetConnectionWindowBytes()),
		metadata: p.GetMaxMetadataBytes(), gzip: p.GetGzip(),
		keepalive: durationOr(p.GetKeepaliveTime(), 10*time.Second), keepaliveAnswer: durationOr(p.GetKeepaliveTimeout(), 3*time.Second)}
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
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: maxAge, MaxConnectionAgeGrace: maxAgeGrace,
			Time: t.keepalive, Timeout: t.keepaliveAnswer}),
	}
}

func (t tuning) client() []grpc.DialOption {
	calls := []grpc.CallOption{grpc.MaxCallRecvMsgSize(t.message), grpc.MaxCallSendMsgSize(t.message)}
	if t.gzip {
		calls = append(calls, grpc.UseCompressor(gzip.Name))
	}
	return []grpc.DialOption{
		grpc.WithDefaultCallOptions(calls...),
		grpc.WithInitialWindowSize(t.streamWindow), grpc.WithInitialConnWindowSize(t.connWindow),
		grpc.WithMaxHeaderListSize(t.metadata),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: t.keepalive, Timeout: t.keepaliveAnswer, PermitWithoutStream: true}),
	}
}

func durationOr(d *durationpb.Duration, fallback time.Duration) time.Duration {
	if d == nil {
		return fallback
	}
	return d.AsDuration()
}
