package governance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// echo answers, and streams back what it receives.
var echo = fake{stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
	for {
		if _, err := s.Recv(); err != nil {
			return endOf(err)
		}
		if err := s.Send(&testv1.StreamingOutputCallResponse{}); err != nil {
			return err
		}
	}
}}

func endOf(err error) error {
	// io.EOF: the client has sent everything.
	if status.Code(err) == codes.Unknown {
		return nil
	}
	return err
}

// In the bubble time stands still while goroutines run, so the duration of a call is exactly that of the fault.
func TestFaults_Kinds(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		for _, c := range []struct {
			name, fault string
			deadline    time.Duration
			want        codes.Code
			took        time.Duration
			// echoed is how many messages of a stream came back.
			echoed int
		}{
			{"delay", "{delay: {fixed: 100ms}}", 10 * time.Second, codes.OK, 100 * time.Millisecond, 5},
			{"delay longer than the deadline", "{delay: {fixed: 3s}}", 200 * time.Millisecond, codes.DeadlineExceeded, 200 * time.Millisecond, 0},
			{"abort", "{abort: {code: DATA_LOSS, message: chosen}}", 10 * time.Second, codes.DataLoss, 0, 0},
			{"hang", "{hang: }", 200 * time.Millisecond, codes.DeadlineExceeded, 200 * time.Millisecond, 0},
			{"cut", "{cut: {afterMessages: 4}}", 10 * time.Second, codes.Unavailable, 0, 2},
			{"another method", "{method: 'a.B/*', abort: {code: DATA_LOSS}}", 10 * time.Second, codes.OK, 0, 5},
			{"matching metadata", "{metadata: {X-Test: 'yes'}, abort: {code: DATA_LOSS}}", 10 * time.Second, codes.DataLoss, 0, 0},
			{"metadata that does not match", "{metadata: {x-test: 'yes', x-more: 'yes'}, abort: {code: DATA_LOSS}}", 10 * time.Second, codes.OK, 0, 5},
		} {
			for _, streaming := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s on the %s, streaming %v", c.name, side, streaming), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						metrics := NewMetrics()
						breakers := NewBreakers("c", BreakerConfig{MinCalls: 1, FailureRatio: 0.5}, nil, nil)
						// A deadline far below the method's would not count for the breaker.
						p := policyOf(t, fmt.Sprintf("client: [{deadline: {streamTimeout: %s}}]\n%sFaults: [%s]", c.deadline, side,
							strings.Replace(c.fault, "{", "{name: chosen, ", 1)))
						client := wire(t, echo, ServerConfig{Policy: p, Metrics: metrics}, ClientConfig{Policy: p, Metrics: metrics, Breakers: breakers, Timeout: c.deadline})
						ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "x-test", "yes"), c.deadline)
						defer cancel()
						start := time.Now()
						echoed, err := 5, error(nil)
						if streaming {
							echoed, err = echoes(ctx, client)
						} else {
							_, err = client.UnaryCall(ctx, &testv1.SimpleRequest{})
						}
						took := time.Since(start)
						if status.Code(err) != c.want || streaming && echoed != c.echoed {
							t.Errorf("%d echoes, %v; want %d, %s", echoed, err, c.echoed, c.want)
						}
						// A server keeps up to 10 ms of a deadline for its answer.
						if took > c.took || took < c.took-10*time.Millisecond {
							t.Errorf("the call took %s, want %s", took, c.took)
						}
						struck := 1.0
						if strings.Contains(c.name, "another") || strings.Contains(c.name, "does not") {
							struck = 0
						}
						if got := metric(t, metrics, "sandbox_faults_injected_total", "side", side, "fault", "chosen"); got != struck {
							t.Errorf("%v faults counted, want %v", got, struck)
						}
						// The breaker sees the same as the caller, whichever side has the fault.
						wantState := StateClosed
						if rpccode.IsFailure(c.want) {
							wantState = StateOpen
						}
						eventually(t, "the breaker is "+wantState, func() bool { return breakers.Snapshot()[0].State == wantState })
					})
				})
			}
		}
	}
}

// echoes sends five messages and counts the answers.
func echoes(ctx context.Context, client testv1.TestServiceClient) (n int, err error) {
	s, err := client.FullDuplexCall(ctx)
	if err != nil {
		return 0, err
	}
	for ; n < 5; n++ {
		// Recv returns the error.
		_ = s.Send(&testv1.StreamingOutputCallRequest{})
		if _, err := s.Recv(); err != nil {
			return n, err
		}
	}
	_ = s.CloseSend()
	_, err = s.Recv()
	return n, endOf(err)
}

func TestFaults_Percent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := newServing(t, "serverFaults: [{name: a, percent: 10, abort: {code: UNAVAILABLE}}, {name: b, percent: 100, delay: {}}]")
	s.server.cfg.random = random.Float64
	var failed int
	for range 10000 {
		if err := s.call(t.Context(), false, "a.B/C", fine); err != nil {
			failed++
		}
	}
	if failed < 900 || failed > 1100 {
		t.Errorf("%d of 10000 calls failed, want a tenth", failed)
	}
}

func TestFaults_DelayJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "serverFaults: [{delay: {fixed: 100ms, jitter: 50ms}}]")
		var shortest, longest time.Duration = time.Hour, 0
		for range 1000 {
			start := time.Now()
			must(t, s.call(t.Context(), false, "a.B/C", fine))
			took := time.Since(start)
			shortest, longest = min(shortest, took), max(longest, took)
		}
		if shortest < 100*time.Millisecond || longest > 150*time.Millisecond || longest-shortest < 40*time.Millisecond {
			t.Errorf("from %s to %s", shortest, longest)
		}
	})
}

// TestFaults_OnePod checks that a fault for one pod leaves the others alone.
func TestFaults_OnePod(t *testing.T) {
	for pod, affected := range map[string]bool{"userservice-1": true, "userservice-2": false} {
		s := newServing(t, "")
		s.policy.In(pod)
		change(t, s.policy, "serverFaults: [{pod: '*-1', abort: {code: UNAVAILABLE}}]")
		if err := s.call(t.Context(), false, "a.B/C", fine); (refusal.Reason(err) == refusal.ReasonFaultInjected) != affected {
			t.Errorf("in %s a call got %v", pod, err)
		}
	}
}

// TestFaults_Shadow checks that a fault in shadow mode is counted, logged and reported, and has no effect, and that the fault behind it has one.
func TestFaults_Shadow(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		for _, kind := range []string{"delay: {fixed: 1h}", "abort: {code: DATA_LOSS}", "hang: ", "cut: {}", "throttle: {rate: 0.001}"} {
			for _, streaming := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s on the %s, streaming %v", kind, side, streaming), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						metrics, events, started := NewMetrics(), NewEvents(0), time.Now()
						p := policyOf(t, fmt.Sprintf("%sFaults: [{name: tried, shadow: true, %s}]", side, kind))
						client := wire(t, echo, ServerConfig{Policy: p, Metrics: metrics, Events: events}, ClientConfig{Policy: p, Metrics: metrics, Events: events})
						for range 3 {
							if streaming {
								if echoed, err := echoes(t.Context(), client); err != nil || echoed != 5 {
									t.Errorf("%d of 5 messages came back: %v", echoed, err)
								}
							} else if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
								t.Error(err)
							}
						}
						if took := time.Since(started); took > 0 {
							t.Errorf("three calls took %s", took)
						}
						name, _, _ := strings.Cut(kind, ":")
						if got := metric(t, metrics, "sandbox_shadow_faults_total", "side", side, "fault", "tried", "kind", name); got != 3 {
							t.Errorf("%v faults counted, want 3", got)
						}
						if got := metric(t, metrics, "sandbox_faults_injected_total"); got != 0 {
							t.Errorf("%v faults are counted as injected", got)
						}
						kept, _, _ := events.After(0)
						if len(kept) != 1 || kept[0].Kind != KindShadow || kept[0].Detail != "would have injected the fault tried: "+name || kept[0].Labels["side"] != side {
							t.Errorf("events %+v", kept)
						}
					})
				})
			}
		}
	}
	s := newServing(t, "serverFaults: [{shadow: true, abort: {code: DATA_LOSS}}, {abort: {code: UNAVAILABLE}}]")
	if err := s.call(t.Context(), false, "a.B/C", fine); status.Code(err) != codes.Unavailable {
		t.Errorf("the fault behind one in shadow mode: %v", err)
	}
}

// TestFaults_ShadowAllocatesLittle bounds what a fault in shadow mode costs: no more than one that matches and has no effect.
func TestFaults_ShadowAllocatesLittle(t *testing.T) {
	for _, side := range []string{"server", "client"} {
		idle := testing.AllocsPerRun(100, faultCost(t, side+"Faults: ["+idleFault+"]")[side])
		if got := testing.AllocsPerRun(100, faultCost(t, side+"Faults: ["+faultInShadow+"]")[side]); got > idle {
			t.Errorf("on the %s side %v allocations, and %v for a fault that chance does not choose", side, got, idle)
		}
	}
}

func TestFaults_Removed(t *testing.T) {
	s := newServing(t, "serverFaults: [{abort: {code: UNAVAILABLE}}]")
	if err := s.call(t.Context(), false, "a.B/C", fine); refusal.Reason(err) != refusal.ReasonFaultInjected {
		t.Error("got", err)
	}
	change(t, s.policy, "")
	must(t, s.call(t.Context(), false, "a.B/C", fine))
}

func TestFaults_NoneAllocatesNothing(t *testing.T) {
	for side, call := range faultCost(t, "") {
		if got := testing.AllocsPerRun(100, call); got != 0 {
			t.Errorf("a call without faults on the %s side makes %v allocations", side, got)
		}
	}
}

// faultCost returns, by side, a call that carries metadata, looks up its rule in a policy, checks its faults and does nothing else.
func faultCost(t testing.TB, text string) map[string]func() {
	p := policyOf(t, text)
	s := newServer(ServerConfig{Policy: p, Log: quiet}.withDefaults())
	served := &serverCall{server: s, method: s.method(s.cfg.Policy.Rules(), "/a.B/C", unaryKind), ctx: metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-test", "yes"))}
	handle := func(context.Context, any) (any, error) { return nil, nil }
	c := newClient(ClientConfig{Callee: "callee", Policy: p, Log: quiet}.withDefaults())
	called := &clientCall{client: c, method: c.method(p.Rules(), "/a.B/C", unaryKind), ctx: metadata.AppendToOutgoingContext(t.Context(), "x-test", "yes")}
	invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	return map[string]func(){
		"server": func() {
			served.serverRuled = s.rule(s.cfg.Policy.Rules(), served.method, "a.B/C")
			if _, err := served.handle(nil, handle); err != nil {
				t.Error(err)
			}
		},
		"client": func() {
			called.clientRuled = called.method.rule(c, p.Rules(), "a.B/C")
			if err := called.invoke(nil, nil, nil, "/a.B/C", invoke, nil); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestFaults_ZeroPercent(t *testing.T) {
	for percent, want := range map[string]func(failed int) bool{
		"":              func(failed int) bool { return failed == 1000 },
		"percent: 100,": func(failed int) bool { return failed == 1000 },
		"percent: 0,":   func(failed int) bool { return failed == 0 },
		"percent: 50,":  func(failed int) bool { return failed > 400 && failed < 600 },
	} {
		s := newServing(t, "serverFaults: [{name: f, "+percent+" abort: {code: UNAVAILABLE}}]")
		failed := 0
		for range 1000 {
			if s.call(t.Context(), false, "a.B/C", fine) != nil {
				failed++
			}
		}
		if !want(failed) {
			t.Errorf("%q: %d of 1000 calls fail", percent, failed)
		}
	}
}
