package control

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// backend is a server without governance, at an address of its own.
type backend struct {
	testv1.UnimplementedTestServiceServer
	calls   atomic.Int64
	running atomic.Int64
	answer  func(ctx context.Context, call int64) error
	pod     compile.Pod
	stop    func()
}

func (b *backend) UnaryCall(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	call := b.calls.Add(1)
	b.running.Add(1)
	defer b.running.Add(-1)
	if b.answer != nil {
		if err := b.answer(ctx, call); err != nil {
			return nil, err
		}
	}
	return &testv1.SimpleResponse{Username: b.pod.Name}, nil
}

func (b *backend) EmptyCall(context.Context, *testv1.Empty) (*testv1.Empty, error) {
	b.calls.Add(1)
	return &testv1.Empty{}, nil
}

// hang lets a call wait for its end.
func hang(ctx context.Context, _ int64) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}

// startBackend starts a pod of the service users.
func startBackend(t *testing.T, name string, answer func(context.Context, int64) error) *backend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{answer: answer, pod: podNamed(name)}
	b.pod.IP, b.pod.Port = host, uint32(number)
	s := grpc.NewServer()
	testv1.RegisterTestServiceServer(s, b)
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	stopped := false
	b.stop = func() {
		if !stopped {
			stopped = true
			s.GracefulStop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() { b.stop() })
	return b
}

// bootstrap returns the configuration of an xDS client.
func bootstrap(t *testing.T, control, node string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"xds_servers": []any{map[string]any{"server_uri": control, "channel_creds": []any{map[string]string{"type": "insecure"}}, "server_features": []string{"xds_v3"}}},
		"node":        map[string]string{"id": node},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// callerPod is the pod of the xDS client in these tests. It is no pod of the service users.
func callerPod() compile.Pod {
	p := podNamed("caller-1")
	p.Labels = map[string]string{compile.ServiceLabel: "caller"}
	return p
}

// xdsClient returns a grpc-go client of a target.
func xdsClient(t *testing.T, control, target string) testv1.TestServiceClient {
	t.Helper()
	resolver, err := xds.NewXDSResolverWithConfigForTesting(bootstrap(t, control, "shop/caller-1"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(target, grpc.WithResolvers(resolver), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return testv1.NewTestServiceClient(conn)
}

// startShop starts a control plane with backends and the pod of a client.
func startShop(t *testing.T, backends ...*backend) (*Plane, running) {
	t.Helper()
	plane, control := startPlane(t, "")
	plane.Store.Permit("shop", true)
	plane.Store.SetPod(callerPod())
	for _, b := range backends {
		plane.Store.SetPod(b.pod)
	}
	return plane, control
}

// applied waits until the xDS client has acknowledged everything, with a number of fields of an object.
func applied(t *testing.T, plane *Plane, kind, name string) []*controlv1.FieldVerdict {
	t.Helper()
	var fields []*controlv1.FieldVerdict
	soon(t, "the client has applied "+name, func() bool {
		answer, err := policies{plane: plane}.Subscribers(t.Context(), &controlv1.SubscribersRequest{Namespace: "shop", Kind: kind, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		// The backends have no governance, and are listed as not connected.
		connected := slices.DeleteFunc(answer.GetSubscribers(), func(s *controlv1.Subscriber) bool { return s.GetConnectedSince() == nil })
		if len(connected) != 1 {
			return false
		}
		fields = connected[0].GetFields()
		for _, f := range fields {
			if f.GetVerdict() == controlv1.Verdict_VERDICT_PENDING {
				return false
			}
		}
		return len(fields) > 0
	})
	return fields
}

func mustCall(t *testing.T, c testv1.TestServiceClient) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := c.UnaryCall(ctx, &testv1.SimpleRequest{}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
}
