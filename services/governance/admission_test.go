package governance

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// serving is a governed server without a network: calls go straight into its interceptors.
type serving struct {
	t       *testing.T
	policy  *policy.Policy
	metrics *Metrics
	server  *server
}

func newServing(t *testing.T, text string) *serving {
	t.Helper()
	s := &serving{t: t, policy: policyOf(t, text), metrics: NewMetrics()}
	s.server = newServer(ServerConfig{Policy: s.policy, Metrics: s.metrics, Log: quiet}.withDefaults())
	return s
}

// call serves a call with work, unary or streaming.
func (s *serving) call(ctx context.Context, streaming bool, method string, work func(context.Context) error) error {
	if streaming {
		return s.server.streaming(nil, streamIn{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: "/" + method, IsServerStream: true},
			func(_ any, stream grpc.ServerStream) error { return work(stream.Context()) })
	}
	_, err := s.server.unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/" + method}, func(ctx context.Context, _ any) (any, error) {
		return nil, work(ctx)
	})
	return err
}

func fine(context.Context) error { return nil }

// both runs a test for unary and for streaming calls, in a synctest bubble.
func both(t *testing.T, test func(t *testing.T, streaming bool)) {
	for _, streaming := range []bool{false, true} {
		t.Run(map[bool]string{false: "unary", true: "streaming"}[streaming], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, streaming) })
		})
	}
}

func (s *serving) refused(err error, code codes.Code, reason string, times float64) {
	s.t.Helper()
	if status.Code(err) != code || refusal.Reason(err) != reason {
		s.t.Errorf("got %v (reason %q), want %s (%s)", err, refusal.Reason(err), code, reason)
	}
	if got := metric(s.t, s.metrics, "sandbox_refused_total", "reason", reason); got != times {
		s.t.Errorf("%v counted, want %v", got, times)
	}
}

func TestAdmit_DeadlineOfTheHandler(t *testing.T) {
	for _, c := range []struct {
		name, text string
		// 0 means none.
		given      time.Duration
		want       time.Duration
		wantStream time.Duration
	}{
		{"10 ms are kept back", "", time.Second, 990 * time.Millisecond, 990 * time.Millisecond},
		{"but at most a tenth", "", 20 * time.Millisecond, 18 * time.Millisecond, 18 * time.Millisecond},
		{"the policy sets the margin", "server: [{deadline: {margin: 50ms}}]", time.Second, 950 * time.Millisecond, 950 * time.Millisecond},
		{"which may be 0", "server: [{deadline: {margin: 0s}}]", time.Second, time.Second, time.Second},
		{"a call without a deadline gets one", "", 0, 10 * time.Second, time.Hour},
		{"the policy sets it", "server: [{deadline: {timeout: 3s, streamTimeout: 4s}}]", 0, 3 * time.Second, 4 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, streaming bool) {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if c.given > 0 {
					ctx, cancel = context.WithTimeout(ctx, c.given)
				}
				defer cancel()
				var left time.Duration
				must(t, newServing(t, c.text).call(ctx, streaming, "a.B/C", func(ctx context.Context) error {
					at, _ := ctx.Deadline()
					left = time.Until(at)
					return nil
				}))
				want := c.want
				if streaming {
					want = c.wantStream
				}
				if left != want {
					t.Errorf("the handler has %s, want %s", left, want)
				}
			})
		})
	}
}

func TestAdmit_DeadlineRequired(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{method: 'a.B/*', deadline: {required: true}}]")
		err := s.call(t.Context(), streaming, "a.B/C", fine)
		s.refused(err, codes.InvalidArgument, refusal.ReasonDeadlineRequired, 1)
		if v := detail[*errdetails.BadRequest](err).GetFieldViolations(); len(v) != 1 || v[0].GetField() != "grpc-timeout" {
			t.Errorf("violations %v", v)
		}
		must(t, s.call(t.Context(), streaming, "x.Y/Z", fine))
	})
}

// detail is the first detail of that type, or nil.
func detail[T any](err error) (found T) {
	for _, d := range status.Convert(err).Details() {
		if v, ok := d.(T); ok {
			return v
		}
	}
	return found
}

func TestBulkhead_Full(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, "server: [{method: 'a.B/*', bulkhead: {maxConcurrent: 3}}]")
		release := make(chan struct{})
		var calls sync.WaitGroup
		occupy := func(n int) {
			for range n {
				calls.Go(func() {
					if err := s.call(t.Context(), streaming, "a.B/C", func(context.Context) error { <-release; return nil }); err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		occupy(3)
		if got := metric(t, s.metrics, "sandbox_bulkhead_in_flight", "method", "a.B/C"); got != 3 {
			t.Errorf("%v in flight, want 3", got)
		}
		start := time.Now()
		err := s.call(t.Context(), streaming, "a.B/C", fine)
		s.refused(err, codes.ResourceExhausted, refusal.ReasonBulkheadFull, 1)
		if took := time.Since(start); took != 0 {
			t.Error("the refusal took", took)
		}
		if v := detail[*errdetails.QuotaFailure](err).GetViolations(); len(v) != 1 || v[0].GetQuotaValue() != 3 || v[0].GetSubject() != "a.B/C at once" {
			t.Errorf("violations %v", v)
		}
		// Each method has its own limit.
		must(t, s.call(t.Context(), streaming, "a.B/Other", fine))
		// A new policy counts the calls that are in flight already.
		change(t, s.policy, "server: [{bulkhead: {maxConcurrent: 4}}]")
		occupy(1)
		s.refused(s.call(t.Context(), streaming, "a.B/C", fine), codes.ResourceExhausted, refusal.ReasonBulkheadFull, 2)
		change(t, s.policy, "")
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		close(release)
		calls.Wait()
		change(t, s.policy, "server: [{bulkhead: {maxConcurrent: 1}}]")
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
		// A call that panics frees its slot.
		func() {
			_ = s.call(t.Context(), streaming, "a.B/C", func(context.Context) error { panic("chosen") })
		}()
		must(t, s.call(t.Context(), streaming, "a.B/C", fine))
	})
}

// A limit that refuses a call must not cost tokens of another limit.
func TestAdmit_HealthIsExempt(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		s := newServing(t, `
server: [{method: '*/*', deadline: {required: true}, bulkhead: {maxConcurrent: 1}, callers: {allow: [nobody]}, rate: {limits: [{tokenBucket: {rate: 0.001}}]}}]
serverFaults: [{abort: {code: UNAVAILABLE}}]
`)
		s.policy.Exempt("fault.v1.Control/*")
		for _, method := range []string{"grpc.health.v1.Health/Check", "fault.v1.Control/Heal"} {
			for range 3 {
				if err := s.call(t.Context(), streaming, method, fine); err != nil {
					t.Errorf("%s: %v", method, err)
				}
			}
		}
		if err := s.call(t.Context(), streaming, "a.B/C", fine); err == nil || !strings.Contains(err.Error(), "may not call") {
			t.Error("a call of another method was not refused:", err)
		}
	})
}

func TestAdmit_ReflectionChecksCallersOnly(t *testing.T) {
	const reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
	const others = "deadline: {required: true}, bulkhead: {maxConcurrent: 1}, rate: {limits: [{tokenBucket: {rate: 0.001}}]}"
	const faults = "\nserverFaults: [{abort: {code: UNAVAILABLE}}]"
	for _, c := range []struct{ sentence, policy, wants string }{
		{"limits and faults do not apply", "server: [{method: '*/*', " + others + "}]" + faults, ""},
		{"a list for all methods applies", "server: [{method: '*/*', callers: {allow: [nobody]}}]", "may not call " + reflection},
		{"a list for another method does not apply", "server: [{method: 'a.B/*', callers: {allow: [nobody]}}]", ""},
		{"a list of its own applies", "server: [{method: 'grpc.reflection.*/*', callers: {allow: [nobody]}}]", "may not call " + reflection},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			both(t, func(t *testing.T, streaming bool) {
				s := newServing(t, c.policy)
				for range 3 {
					if err := s.call(t.Context(), streaming, reflection, fine); (err == nil) != (c.wants == "") || err != nil && !strings.Contains(err.Error(), c.wants) {
						t.Error(err)
					}
				}
			})
		})
	}
}

// A client that is refused must not be able to fill the log.
func TestCallers_RefusalsInLog(t *testing.T) {
	both(t, func(t *testing.T, streaming bool) {
		var log bytes.Buffer
		p := policyOf(t, "server: [{callers: {allow: ['x']}}]")
		s := &serving{t: t, policy: p, server: newServer(ServerConfig{Policy: p, Log: NewLog(&log, nil)}.withDefaults())}
		for range 25 {
			for range 100 {
				_ = s.call(t.Context(), streaming, "a.B/C", fine)
			}
			_ = s.call(t.Context(), streaming, "a.B/Other", fine)
			time.Sleep(time.Second)
		}
		for _, c := range []struct{ method, suppressed string }{{"a.B/C", `"since_the_last":999`}, {"a.B/Other", `"since_the_last":9`}} {
			lines := 0
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, `"method":"`+c.method+`"`) {
					if lines++; lines > 1 && !strings.Contains(line, c.suppressed) {
						t.Errorf("line %d is %s", lines, line)
					}
				}
			}
			if lines != 3 {
				t.Errorf("in 25 s the log has %d lines about %s, want 3", lines, c.method)
			}
		}
	})
}
