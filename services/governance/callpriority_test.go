package governance

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const (
	unspecified = policyv1.Priority_PRIORITY_UNSPECIFIED
	low         = policyv1.Priority_PRIORITY_LOW
	normal      = policyv1.Priority_PRIORITY_NORMAL
	high        = policyv1.Priority_PRIORITY_HIGH
	critical    = policyv1.Priority_PRIORITY_CRITICAL
)

func TestCallPriority_ChoiceOfTheCaller(t *testing.T) {
	for _, c := range []struct {
		sentence, policy string
		header           []string
		// shed is the priority by which the call is shed; passed, the one of the handler's own calls.
		shed, passed policyv1.Priority
	}{
		{"without the part the choice is ignored", "server: [{method: '*/*'}]", []string{"low"}, normal, unspecified},
		{"a caller can lower the priority", "server: [{callerPriority: {}}]", []string{"low"}, low, low},
		{"a caller cannot raise it", "server: [{callerPriority: {}}]", []string{"critical"}, normal, normal},
		{"not above that of the method", "server: [{priority: low, callerPriority: {}}]", []string{"normal"}, low, low},
		{"a caller can raise it as far as the policy permits", "server: [{callerPriority: {max: high}}]", []string{"high"}, high, high},
		{"and not further", "server: [{callerPriority: {max: high}}]", []string{"critical"}, high, high},
		{"a call without a choice has the priority of the method", "server: [{priority: high, callerPriority: {max: critical}}]", nil, high, high},
		{"a maximum below the method's has no effect", "server: [{callerPriority: {max: low}}]", []string{"high"}, normal, normal},
		{"an unknown choice is none", "server: [{callerPriority: {}}]", []string{"LOW"}, normal, normal},
		{"the last of several choices counts", "server: [{callerPriority: {}}]", []string{"normal", "low"}, low, low},
		{"a later rule switches it off", "server: [{callerPriority: {max: critical}}, {method: 'a.B/*', callerPriority: {disabled: true}}]", []string{"low"}, normal, unspecified},
		{"a later rule replaces the maximum", "server: [{callerPriority: {max: critical}}, {method: 'a.B/*', callerPriority: {}}]", []string{"high"}, normal, normal},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			both(t, func(t *testing.T, streaming bool) {
				// One call fills the limit, so that every other one is shed, except critical ones.
				s := newServing(t, "shed: {minLimit: 1, maxLimit: 1, initialLimit: 1}\n"+c.policy)
				ctx := metadata.NewIncomingContext(t.Context(), metadata.MD{PriorityHeader: c.header})
				passed := policyv1.Priority(-1)
				must(t, s.call(ctx, streaming, "a.B/C", func(ctx context.Context) error {
					passed = CallPriority(ctx)
					return nil
				}))
				if passed != c.passed {
					t.Errorf("the handler's calls have the priority %s, want %s", passed, c.passed)
				}
				release := make(chan struct{})
				var full sync.WaitGroup
				full.Go(func() {
					_ = s.call(t.Context(), false, "a.B/C", func(context.Context) error { <-release; return nil })
				})
				synctest.Wait()
				if err := s.call(ctx, streaming, "a.B/C", fine); err == nil {
					t.Error("the call was not shed")
				}
				if got := metric(t, s.metrics, "sandbox_shed_refused_total", "priority", priorityName(c.shed)); got != 1 {
					t.Errorf("%v calls of priority %s were shed, want 1", got, c.shed)
				}
				close(release)
				full.Wait()
			})
		})
	}
}

// TestCallPriority_Sheds checks that the priority of a call decides which share of the limit it may use.
func TestCallPriority_Sheds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServing(t, "shed: {minLimit: 10, maxLimit: 10, initialLimit: 10}\nserver: [{callerPriority: {max: critical}}]")
		release := make(chan struct{})
		var calls sync.WaitGroup
		occupied := 0
		for _, step := range []struct {
			occupied int
			served   []string
		}{{5, []string{"low", "normal", "high", "critical"}}, {6, []string{"normal", "high", "critical"}}, {9, []string{"high", "critical"}}, {10, []string{"critical"}}} {
			for ; occupied < step.occupied; occupied++ {
				calls.Go(func() {
					ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs(PriorityHeader, "high"))
					_ = s.call(ctx, false, "a.B/C", func(context.Context) error { <-release; return nil })
				})
			}
			synctest.Wait()
			for _, priority := range []string{"low", "normal", "high", "critical"} {
				err := s.call(metadata.NewIncomingContext(t.Context(), metadata.Pairs(PriorityHeader, priority)), false, "a.B/C", fine)
				if slices.Contains(step.served, priority) != (err == nil) {
					t.Errorf("with %d in flight a call of priority %s got %v", step.occupied, priority, err)
				}
			}
		}
		close(release)
		calls.Wait()
	})
}

// A call of one service leads to a call of another one.
func TestCallPriority_PassedAlong(t *testing.T) {
	for _, c := range []struct {
		sentence string
		chosen   policyv1.Priority
		first    string
		// forwards means that the handler copies the metadata of its call.
		forwards bool
		want     []string
	}{
		{"the choice of the first caller arrives at the last callee", low, "server: [{callerPriority: {}}]", false, []string{"low"}},
		{"as far as the service between them permits", critical, "server: [{callerPriority: {max: high}}]", false, []string{"high"}},
		{"a service can begin with the priority of its method", unspecified, "server: [{priority: low, callerPriority: {}}]", false, []string{"low"}},
		{"metadata that a handler copies does not win", critical, "server: [{callerPriority: {max: high}}]", true, []string{"high"}},
		{"a service without the part passes nothing on", critical, "", false, nil},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			var got []string
			last := wire(t, fake{
				unary: func(ctx context.Context, _ *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
					got = metadata.ValueFromIncomingContext(ctx, PriorityHeader)
					return &testv1.SimpleResponse{}, nil
				},
				stream: func(s grpc.BidiStreamingServer[testv1.StreamingOutputCallRequest, testv1.StreamingOutputCallResponse]) error {
					got = metadata.ValueFromIncomingContext(s.Context(), PriorityHeader)
					return nil
				},
			}, ServerConfig{}, ClientConfig{})
			first := wire(t, fake{unary: func(ctx context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
				if md, ok := metadata.FromIncomingContext(ctx); ok && c.forwards {
					ctx = metadata.NewOutgoingContext(ctx, metadata.MD{PriorityHeader: md.Get(PriorityHeader)})
				}
				if !req.GetFillUsername() {
					return last.UnaryCall(ctx, req)
				}
				stream, err := last.FullDuplexCall(ctx)
				if err == nil {
					_, _ = stream.Recv()
				}
				return &testv1.SimpleResponse{}, err
			}}, ServerConfig{Policy: policyOf(t, c.first)}, ClientConfig{})
			ctx := t.Context()
			if c.chosen != unspecified {
				ctx = WithPriority(ctx, c.chosen)
			}
			for _, streaming := range []bool{false, true} {
				got = []string{"none"}
				_, err := first.UnaryCall(ctx, &testv1.SimpleRequest{FillUsername: streaming})
				must(t, err)
				if !slices.Equal(got, c.want) {
					t.Errorf("streaming %v: the last callee got %q, want %q", streaming, got, c.want)
				}
			}
		})
	}
}
