package governance

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// replicated is a callee with replicas in memory, which a client finds by name.
type replicated struct {
	pipes  map[string]*bufconn.Listener
	state  resolver.State
	names  *manual.Resolver
	health []*health.Server
	served []atomic.Int64
}

// newReplicated serves n replicas until the test ends. serve is called with the number of the replica.
func newReplicated(t *testing.T, n int, serve func(ctx context.Context, replica int) error) *replicated {
	return newReplicatedStreams(t, n, serve, nil)
}

// newReplicatedStreams is newReplicated with a handler of streams.
func newReplicatedStreams(t *testing.T, n int, serve func(ctx context.Context, replica int) error, stream func(s duplex, replica int) error) *replicated {
	r := &replicated{pipes: map[string]*bufconn.Listener{}, served: make([]atomic.Int64, n)}
	for i := range n {
		address := fmt.Sprint("replica-", i)
		pipe := bufconn.Listen(1 << 16)
		r.health = append(r.health, health.NewServer())
		s := Server(ServerConfig{Pod: address, Log: quiet, Health: r.health[i]})
		testv1.RegisterTestServiceServer(s, fake{unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
			r.served[i].Add(1)
			return &testv1.SimpleResponse{Username: address}, serve(ctx, i)
		}, stream: func(s duplex) error {
			r.served[i].Add(1)
			return stream(s, i)
		}})
		ended := make(chan struct{})
		go func() { defer close(ended); _ = s.Serve(pipe) }()
		t.Cleanup(func() { s.Stop(); <-ended })
		r.pipes[address] = pipe
		r.state.Endpoints = append(r.state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}
	return r
}

func (r *replicated) dial(t *testing.T, cfg ClientConfig) testv1.TestServiceClient {
	t.Helper()
	client, _ := r.connect(t, cfg)
	return client
}

// connect is dial, and also returns what closes the connection before the end of the test.
func (r *replicated) connect(t *testing.T, cfg ClientConfig) (client testv1.TestServiceClient, end func()) {
	t.Helper()
	r.names = manual.NewBuilderWithScheme("replicated")
	r.names.InitialState(r.state)
	cfg.Callee, cfg.Log = "callee", quiet
	cfg.Resolvers = []resolver.Builder{r.names}
	cfg.Options = append(cfg.Options, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
		return r.pipes[address].DialContext(ctx)
	}))
	conn, err := Dial("replicated:///callee", cfg)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return testv1.NewTestServiceClient(conn), func() { _ = conn.Close() }
}

// TestOutliers_OneBadReplicaOfThree makes 100 calls a second for a minute of simulated time, with the defaults. The trial calls of the bad replica
// are included.
func TestOutliers_OneBadReplicaOfThree(t *testing.T) {
	const rate, usual, deadline = 100, 15 * time.Millisecond, 100 * time.Millisecond
	unavailable := status.Error(codes.Unavailable, "this replica lost its database")
	for _, bad := range []struct {
		name  string
		serve func(ctx context.Context) error
	}{
		{"fails", func(context.Context) error { return unavailable }},
		{"fails slowly", func(ctx context.Context) error { _ = pause.For(ctx, 50*time.Millisecond); return unavailable }},
		{"hangs", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{"is ten times slower", func(ctx context.Context) error { return pause.For(ctx, 10*usual) }},
	} {
		for _, c := range []struct {
			name, policy string
			// want is the share of calls that must be answered within their deadline, in percent.
			want float64
		}{
			{"", "", 95},
			{", least request", "connections: [{leastRequest: true}]", 95},
			{", one retry", "client: [{retry: {idempotent: true, maxAttempts: 2, initialBackoff: 5ms, perTryTimeout: 40ms}}]", 99},
			{", hedged", "client: [{hedge: {idempotent: true, delay: 30ms}}]", 99},
		} {
			t.Run("it "+bad.name+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					callee := newReplicated(t, 3, func(ctx context.Context, i int) error {
						if i == 1 {
							return bad.serve(ctx)
						}
						return pause.For(ctx, usual)
					})
					metrics := NewMetrics()
					breakers := NewBreakers("caller", BreakerConfig{}, metrics, nil)
					client := callee.dial(t, ClientConfig{Policy: policyOf(t, c.policy), Breakers: breakers, Metrics: metrics, Timeout: deadline})
					answered, all := offer(client, rate, time.Minute)
					got := 100 * answered / all
					t.Logf("%.2f %% of %.0f calls were answered in time; the replicas got %d, %d (bad) and %d attempts", got, all,
						callee.served[0].Load(), callee.served[1].Load(), callee.served[2].Load())
					if got < c.want {
						t.Errorf("%.2f %% answered, want %v %%", got, c.want)
					}
					if n := metric(t, metrics, "sandbox_breaker_transitions_total"); n != 0 {
						t.Errorf("the breaker changed its state %v times", n)
					}
					// An attempt that is cancelled because another one was faster says nothing about its replica.
					if n := metric(t, metrics, "sandbox_outlier_ejections_total"); n == 0 && !strings.Contains(c.name, "hedged") {
						t.Error("the bad replica was never ejected")
					}
				})
			})
		}
	}
}

// offer makes calls at a rate. It returns how many of those after the first five seconds were answered, and their number.
func offer(client testv1.TestServiceClient, rate int, span time.Duration) (answered, all float64) {
	var ok, counted atomic.Int64
	var calls sync.WaitGroup
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < span; <-tick.C {
		judged := time.Since(start) >= 5*time.Second
		calls.Go(func() {
			_, err := client.UnaryCall(context.Background(), &testv1.SimpleRequest{})
			if judged {
				counted.Add(1)
				if err == nil {
					ok.Add(1)
				}
			}
		})
	}
	calls.Wait()
	return float64(ok.Load()), float64(counted.Load())
}

// TestOutliers_Recovery checks that a replica that works again gets its share again.
func TestOutliers_Recovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		callee := newReplicated(t, 3, func(_ context.Context, i int) error {
			if i == 1 && broken.Load() {
				return status.Error(codes.Internal, "chosen")
			}
			return nil
		})
		metrics, events := NewMetrics(), NewEvents(0)
		client := callee.dial(t, ClientConfig{Metrics: metrics, Breakers: NewBreakers("caller", BreakerConfig{}, metrics, events)})
		offer(client, 100, 10*time.Second)
		if got := metric(t, metrics, "sandbox_outlier_ejected", "callee", "callee"); got != 1 {
			t.Errorf("%v replicas are ejected, want 1", got)
		}
		broken.Store(false)
		// The next trial comes after at most 16 s.
		offer(client, 100, 17*time.Second)
		before := callee.served[1].Load()
		offer(client, 100, 10*time.Second)
		if got := callee.served[1].Load() - before; got < 300 {
			t.Errorf("the replica got %d of 1000 calls after its recovery", got)
		}
		if got := metric(t, metrics, "sandbox_outlier_ejected", "callee", "callee"); got != 0 {
			t.Errorf("%v replicas are ejected, want 0", got)
		}
		kept, _, _ := events.After(0)
		if first, last := kept[0], kept[len(kept)-1]; first.Kind != KindOutlier || first.Labels["state"] != "ejected" || first.Labels["address"] != "replica-1" || last.Labels["state"] != "in use" {
			t.Errorf("events %+v … %+v", first, last)
		}
	})
}

// TestOutliers_GoneWhileEjected checks that the gauge and the events say so when a bad replica is replaced, and that each connection to a callee has its
// own part of the gauge, until it is closed.
func TestOutliers_GoneWhileEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicated(t, 4, func(_ context.Context, i int) error {
			if i == 1 {
				return status.Error(codes.Internal, "chosen")
			}
			return nil
		})
		metrics, events := NewMetrics(), NewEvents(0)
		ejected := func(want float64) {
			t.Helper()
			synctest.Wait()
			if got := metric(t, metrics, "sandbox_outlier_ejected", "callee", "callee"); got != want {
				t.Errorf("%v replicas are ejected, want %v", got, want)
			}
		}
		cfg := ClientConfig{Metrics: metrics, Breakers: NewBreakers("caller", BreakerConfig{}, metrics, events)}
		first, closeFirst := callee.connect(t, cfg)
		names := callee.names
		second, closeSecond := callee.connect(t, cfg)
		offer(first, 100, 2*time.Second)
		ejected(1)
		offer(second, 100, 2*time.Second)
		ejected(2)
		// The replica is replaced, but only the first connection knows.
		replaced := callee.state
		replaced.Endpoints = []resolver.Endpoint{callee.state.Endpoints[0], callee.state.Endpoints[2], callee.state.Endpoints[3]}
		names.UpdateState(replaced)
		synctest.Wait()
		offer(first, 100, time.Second)
		ejected(1)
		kept, _, _ := events.After(0)
		if last := kept[len(kept)-1]; last.Kind != KindOutlier || last.Labels["state"] != "gone" || last.Labels["address"] != "replica-1" {
			t.Errorf("the last event is %+v", last)
		}
		closeFirst()
		ejected(1)
		closeSecond()
		ejected(0)
	})
}

// TestOutliers_EveryReplicaFails checks that the breaker, and not the ejection, answers an outage of the whole callee.
func TestOutliers_EveryReplicaFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicated(t, 3, func(context.Context, int) error { return status.Error(codes.Unavailable, "chosen") })
		metrics := NewMetrics()
		breakers := NewBreakers("caller", BreakerConfig{}, metrics, nil)
		client := callee.dial(t, ClientConfig{Metrics: metrics, Breakers: breakers})
		for range 60 {
			_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		if got := breakers.Snapshot()[0].State; got != StateOpen {
			t.Errorf("the breaker is %s", got)
		}
		if got := metric(t, metrics, "sandbox_outlier_ejected"); got != 1 {
			t.Errorf("%v of 3 replicas are ejected, want 1", got)
		}
	})
}

// TestOutliers_OnlyReachableReplicaFails checks that failures of an ejected replica count for the breaker if the call had to use it.
func TestOutliers_OnlyReachableReplicaFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callee := newReplicated(t, 3, func(context.Context, int) error { return status.Error(codes.Unavailable, "chosen") })
		must(t, callee.pipes["replica-0"].Close())
		must(t, callee.pipes["replica-1"].Close())
		breakers := NewBreakers("caller", BreakerConfig{}, NewMetrics(), nil)
		client := callee.dial(t, ClientConfig{Breakers: breakers})
		for range 60 {
			_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
		}
		if got := breakers.Snapshot()[0].State; got != StateOpen {
			t.Errorf("the breaker is %s", got)
		}
	})
}

// TestOutliers_Neutral checks that what is not the fault of one replica ejects none.
func TestOutliers_Neutral(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		policy string
	}{
		"refusals that are the caller's fault": {status.Error(codes.NotFound, "chosen"), ""},
		"overload":                             {status.Error(codes.ResourceExhausted, "chosen"), ""},
		"a policy without ejection":            {status.Error(codes.Internal, "chosen"), "connections: [{outlierEjection: {disabled: true}}]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				callee := newReplicated(t, 3, func(_ context.Context, i int) error {
					if i == 1 {
						return c.err
					}
					return nil
				})
				metrics := NewMetrics()
				client := callee.dial(t, ClientConfig{Metrics: metrics, Policy: policyOf(t, c.policy), Breakers: neverOpen()})
				// Connect to every replica first.
				_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				synctest.Wait()
				for range 100 {
					_, _ = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
				}
				if got := metric(t, metrics, "sandbox_outlier_ejections_total"); got != 0 {
					t.Errorf("%v ejections", got)
				}
				if got := callee.served[1].Load(); got < 30 {
					t.Errorf("the replica got %d of 100 calls", got)
				}
			})
		})
	}
}
