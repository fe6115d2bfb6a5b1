package probe

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// fakeShop is a load generator and a service. It enforces a rate of calls, deadlines, a breaker, retries and a bulkhead, or nothing if they are zero.
type fakeShop struct {
	t       *testing.T
	limit   float64
	timeout time.Duration
	// opens is the number of failed calls after which the breaker opens.
	opens   int64
	retries bool
	// places are the calls that one pod serves at once.
	places int
	server time.Duration

	mu      sync.Mutex
	load    *loadgenv1.StartLoadRequest
	started time.Time
	fault   *policyv1.FaultSpec
	serving int
	calls   []string
	// openUntil is when a breaker that a fault has opened is closed.
	openUntil time.Time
}

func (f *fakeShop) note(call string) { f.calls = append(f.calls, call) }

func (f *fakeShop) StartLoad(_ context.Context, r *loadgenv1.StartLoadRequest, _ ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.load, f.started = r, time.Now()
	return nil, nil
}

func (f *fakeShop) StopLoad(context.Context, *loadgenv1.StopLoadRequest, ...grpc.CallOption) (*loadgenv1.LoadStats, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.stats()
	f.load = nil
	return s, nil
}

func (f *fakeShop) ListLoads(context.Context, *loadgenv1.ListLoadsRequest, ...grpc.CallOption) (*loadgenv1.ListLoadsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &loadgenv1.ListLoadsResponse{Loads: []*loadgenv1.LoadStats{f.stats()}}, nil
}

// stats returns what the load has done until now.
func (f *fakeShop) stats() *loadgenv1.LoadStats {
	passed := time.Since(f.started).Seconds()
	sent := int64(f.load.GetRate() * passed)
	s := &loadgenv1.LoadStats{Name: f.load.GetName(), Target: f.load.GetTarget(), Method: f.load.GetMethod(), Intended: sent, Sent: sent, Ok: sent,
		Errors: map[string]int64{}, Refused: map[string]int64{}, ReadAt: timestamppb.Now()}
	fail := func(code string, n int64) {
		s.Errors[code] += n
		s.Ok -= n
	}
	switch {
	case f.fault.GetDelay() != nil && f.timeout > 0:
		fail("DEADLINE_EXCEEDED", sent)
		s.FailedHistogram = histogram(f.t, max(1, sent), f.timeout)
	case f.fault.GetAbort() != nil && f.fault.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT:
		fail("UNAVAILABLE", sent)
		if f.opens > 0 && sent > f.opens {
			s.Refused[refusal.ReasonBreakerOpen] = sent - f.opens
			f.openUntil = time.Now().Add(5 * time.Second)
		}
	case time.Now().Before(f.openUntil):
		fail("UNAVAILABLE", sent)
		s.Refused[refusal.ReasonBreakerOpen] = sent
	case f.fault.GetAbort() != nil && !f.retries:
		fail(f.fault.GetAbort().GetCode(), sent/20)
	case f.limit > 0 && f.load.GetRate() > f.limit:
		fail("RESOURCE_EXHAUSTED", sent-int64(f.limit*passed))
	}
	return s
}

func (f *fakeShop) AddFault(_ context.Context, name string, spec json.RawMessage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = &policyv1.FaultSpec{}
	if _, err := policy.Decode(spec, f.fault); err != nil || f.fault.GetLeaseSeconds() == 0 {
		f.t.Errorf("fault %s: %v", spec, err)
	}
	f.note("fault")
	return nil
}

func (f *fakeShop) ClearFault(context.Context, string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = nil
	f.note("cleared")
	return nil
}

func (f *fakeShop) call(ctx context.Context, _ Method, headers map[string]string) error {
	f.mu.Lock()
	if headers[probeHeader] == "" || headers[probeHeader] != f.fault.GetMetadata()[probeHeader] {
		f.t.Errorf("a call with the header %q and the fault %v", headers, f.fault)
	}
	if f.places > 0 && f.serving >= f.places {
		f.mu.Unlock()
		return refusal.New(codes.ResourceExhausted, refusal.ReasonBulkheadFull, "full")
	}
	f.serving++
	delay := f.fault.GetDelay().GetFixed().AsDuration()
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.serving--
		f.mu.Unlock()
	}()
	if _, has := ctx.Deadline(); !has && f.server > 0 && f.server < delay {
		return errors.Join(pause.For(ctx, f.server), status.Error(codes.DeadlineExceeded, "late"))
	}
	return pause.For(ctx, delay)
}

const probed = `
selector: {matchLabels: {app.kubernetes.io/name: userservice}}
maxRequestsPerSecond: 50
shed: {minLimit: 2}
methods:
- method: user.v1.UserService/GetUser
  deadline: {timeout: 250ms}
  serverDeadline: {timeout: 1500ms}
  bulkhead: {maxConcurrent: 8}
  retry: {idempotent: true, maxAttempts: 3}
  breaker: {minCalls: 30}
- method: user.v1.UserService/CreateUser
  deadline: {timeout: 1s}
`

func specOf(t *testing.T, text string) *policyv1.TrafficPolicySpec {
	t.Helper()
	spec := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte(text), spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

var users = Target{Service: "userservice", Pods: 3, Loaded: true, Methods: []Method{{"user.v1.UserService/CreateUser", "{}"}, {"user.v1.UserService/GetUser", `{"userId":"u-1"}`}}}

// A scenario that runs next would measure an open breaker.
func TestRun_WaitsUntilTheBreakerIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeShop{t: t, opens: 30}
		spec := specOf(t, "selector: {matchLabels: {app.kubernetes.io/name: userservice}}\nmethods: [{method: user.v1.UserService/GetUser, breaker: {minCalls: 30}}]")
		if _, err := (Prober{Loads: f, Faults: f, Call: f.call, Target: users}).Run(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		if f.openUntil.IsZero() || time.Now().Before(f.openUntil) || f.load != nil {
			t.Errorf("at %s the breaker is open until %s; load %v", time.Now(), f.openUntil, f.load)
		}
	})
}

// verdicts runs the probes and returns the verdict of each field.
func verdicts(t *testing.T, f *fakeShop, target Target, spec string) (got map[string]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f.t = t
		results, err := Prober{Loads: f, Faults: f, Call: f.call, Target: target}.Run(t.Context(), specOf(t, spec))
		if err != nil || f.load != nil || f.fault != nil {
			t.Errorf("%v; left: load %v, fault %v", err, f.load, f.fault)
		}
		got = map[string]string{}
		for _, r := range results {
			got[r.Field] = r.Verdict
			if r.Verdict == NotProbed {
				got[r.Field] += ": " + r.Observed
			}
		}
	})
	return got
}

func TestRun_PolicyEnforced(t *testing.T) {
	f := &fakeShop{limit: 50, timeout: 250 * time.Millisecond, opens: 30, retries: true, places: 8, server: 1500 * time.Millisecond}
	want := map[string]string{
		"maxRequestsPerSecond": Enforced, "methods[0].deadline.timeout": Enforced, "methods[0].serverDeadline.timeout": Enforced, "methods[0].bulkhead.maxConcurrent": Enforced,
		"methods[0].retry.idempotent": Enforced, "methods[0].retry.maxAttempts": Enforced, "methods[0].breaker.minCalls": Enforced,
		"methods[1].deadline.timeout": NotProbed + ": " + noMethod, "shed.minLimit": NotProbed + ": there is no probe for this field",
	}
	if diff := cmp.Diff(want, verdicts(t, f, users, probed)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}

func TestRun_PolicyIgnored(t *testing.T) {
	for field, verdict := range verdicts(t, &fakeShop{}, users, probed) {
		if verdict != NotEnforced && !strings.HasPrefix(verdict, NotProbed) {
			t.Errorf("%s is %s", field, verdict)
		}
	}
}

func TestRun_WithoutTheLoadGenerator(t *testing.T) {
	target := users
	target.Loaded = false
	got := verdicts(t, &fakeShop{places: 8, server: 1500 * time.Millisecond}, target, probed)
	for _, field := range []string{"maxRequestsPerSecond", "methods[0].deadline.timeout", "methods[0].retry.maxAttempts", "methods[0].breaker.minCalls"} {
		if got[field] != NotProbed+": "+noLoad {
			t.Errorf("%s is %s", field, got[field])
		}
	}
	if got["methods[0].bulkhead.maxConcurrent"] != Enforced || got["methods[0].serverDeadline.timeout"] != Enforced {
		t.Errorf("what this machine probes: %v", got)
	}
}

func TestRun_FailedProbeLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		f := &fakeShop{t: t}
		_, err := Prober{Loads: f, Faults: f, Call: f.call, Target: users}.Run(ctx, specOf(t, "methods: [{retry: {idempotent: true, maxAttempts: 3}}]"))
		if !errors.Is(err, context.DeadlineExceeded) || f.load != nil || f.fault != nil {
			t.Errorf("%v; left: load %v, fault %v", err, f.load, f.fault)
		}
		if diff := cmp.Diff([]string{"fault", "cleared"}, f.calls); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

func TestPlan_Skips(t *testing.T) {
	for _, c := range []struct{ sentence, spec, field, want string }{
		{"more than the load generator offers", "maxRequestsPerSecond: 500", "maxRequestsPerSecond", "the probe offers at most 600 calls/s"},
		{"a policy in shadow mode", "shadow: true\nmaxRequestsPerSecond: 50", "maxRequestsPerSecond", inShadow},
		{"a policy for a share of the calls", "percent: 50\nmethods: [{deadline: {timeout: 1s}}]", "methods[0].deadline.timeout", ofShare},
		{"a lower limit", "maxRequestsPerSecond: 50\nmethods: [{rate: {limits: [{limit: {tokenBucket: {rate: 20}}}]}}]", "maxRequestsPerSecond", "another limit of the policy is lower: 20/s"},
		{"a long deadline", "methods: [{deadline: {timeout: 1m}}]", "methods[0].deadline.timeout", "only time-outs up to 10s are probed"},
		{"a large bulkhead", "methods: [{bulkhead: {maxConcurrent: 500}}]", "methods[0].bulkhead.maxConcurrent", "only limits up to 200 are probed"},
		{"a bulkhead behind a low limit", "maxRequestsPerSecond: 1\nmethods: [{bulkhead: {maxConcurrent: 50}}]", "methods[0].bulkhead.maxConcurrent",
			"a rate limit of the policy does not admit so many calls at once"},
		{"a breaker of many calls", "methods: [{breaker: {minCalls: 5000}}]", "methods[0].breaker.minCalls",
			"the probe makes at most 500 calls, at most 600 a second, in a window of at most 30s"},
		{"an entry that another one overrides", "methods: [{method: '*/*', deadline: {timeout: 2s}}, {method: user.v1.UserService/GetUser, deadline: {timeout: 1s}}]",
			"methods[0].deadline.timeout", noMethod},
	} {
		checks, skipped := plan(specOf(t, c.spec), users)
		for _, check := range checks {
			for _, field := range check.fields {
				if field == c.field {
					t.Errorf("%s: %s is probed", c.sentence, field)
				}
			}
		}
		if got := why(skipped, c.field); got != c.want {
			t.Errorf("%s: %q", c.sentence, got)
		}
	}
}

func TestPlan_LimitOfAPod(t *testing.T) {
	checks, _ := plan(specOf(t, "methods: [{rate: {limits: [{scope: pod, limit: {leakyBucket: {rate: 10}}}]}}]"), users)
	if len(checks) != 1 || checks[0].fields[0] != "methods[0].rate.limits[0].limit.leakyBucket.rate" || checks[0].doing != "offering 120 calls/s to user.v1.UserService/GetUser" {
		t.Errorf("got %+v", checks)
	}
}
