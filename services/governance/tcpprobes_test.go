package governance

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"
)

// A plain server of grpc-go closes connections with too many pings.
func TestDial_PlainServer(t *testing.T) {
	for _, c := range []struct {
		sentence, tuning string
		calls            bool
		ends             string
	}{
		{"the default is permitted without calls", "{}", false, ""},
		{"the default is permitted with a long stream", "{}", true, ""},
		{"pings every 10 s are not permitted", "{keepaliveTime: 10s}", true, "too_many_pings"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pipe := bufconn.Listen(1 << 20)
				s := grpc.NewServer()
				testv1.RegisterTestServiceServer(s, echo)
				served := make(chan error, 1)
				go func() { served <- s.Serve(pipe) }()
				defer func() {
					s.Stop()
					must(t, <-served)
				}()
				dials := 0
				conn, err := Dial("passthrough:///pipe", ClientConfig{Callee: "callee", Log: quiet, Policy: policyOf(t, "connections: [{tuning: "+c.tuning+"}]"),
					Options: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
						dials++
						return pipe.DialContext(ctx)
					}), grpc.WithIdleTimeout(0)}})
				must(t, err)
				defer conn.Close()
				ask := func() error {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
					defer cancel()
					stream, err := testv1.NewTestServiceClient(conn).FullDuplexCall(ctx)
					if err != nil {
						return err
					}
					if c.calls {
						time.Sleep(time.Hour)
					}
					if err := stream.Send(&testv1.StreamingOutputCallRequest{}); err != nil {
						_, err = stream.Recv()
						return err
					}
					_, err = stream.Recv()
					return err
				}
				err = ask()
				if (err == nil) != (c.ends == "") || err != nil && !strings.Contains(err.Error(), c.ends) {
					t.Fatalf("got %v, want an error with %q", err, c.ends)
				}
				if c.ends == "" {
					time.Sleep(time.Hour)
					must(t, ask())
					if dials != 1 {
						t.Errorf("%d connections, want 1", dials)
					}
				}
			})
		})
	}
}
