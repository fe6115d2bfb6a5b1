package policy

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func layered(t *testing.T, own, pushed string) *Policy {
	t.Helper()
	p := &Policy{}
	if err := p.Set(parsed(t, own)); err != nil {
		t.Fatal(err)
	}
	if err := p.Push(parsed(t, pushed)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPush_AppliesAfterTheOwnPolicy(t *testing.T) {
	own := `
version: own-1
server:
  - {method: "*/*", callers: {allow: ["spiffe://sandbox.local/ns/shop/sa/a"]}, deadline: {timeout: 1s}}
client: [{callee: b, deadline: {timeout: 1s}, breaker: {minCalls: 7}}]
shed: {maxLimit: 10}
`
	p := layered(t, own, `
version: pushed-1
server: [{deadline: {timeout: 2s}}]
client: [{callee: b, deadline: {timeout: 3s}}]
rate: {limits: [{tokenBucket: {rate: 5}}]}
serverFaults: [{name: f, hang: {}}]
`)
	s := p.Rules().Server("a.B/C")
	if s.Timeout != 2*time.Second || s.Allows("spiffe://sandbox.local/ns/shop/sa/b") || !s.Allows("spiffe://sandbox.local/ns/shop/sa/a") || len(s.Faults) != 1 {
		t.Errorf("server rule %+v: want the pushed deadline and fault, and the own callers", s)
	}
	c := p.Rules().Client("b", "a.B/C")
	if c.Timeout != 3*time.Second || c.Breaker.GetMinCalls() != 7 {
		t.Errorf("client rule %+v: want the pushed deadline and the own breaker", c)
	}
	if p.Rules().Shed(Share{}).GetMaxLimit() != 10 || len(p.Rules().Rate(Share{})) != 1 || p.Version() != "own-1+pushed-1" {
		t.Errorf("shed %v, rate %v, version %q", p.Rules().Shed(Share{}), p.Rules().Rate(Share{}), p.Version())
	}

	// A change of the file keeps what was pushed, and the removal of what was pushed restores the file.
	if err := p.Set(parsed(t, "version: own-2")); err != nil {
		t.Fatal(err)
	}
	if s := p.Rules().Server("a.B/C"); s.Timeout != 2*time.Second || s.LimitsCallers() || p.Version() != "own-2+pushed-1" {
		t.Errorf("after a change of the own policy: %+v, version %q", s, p.Version())
	}
	if err := p.Push(nil); err != nil {
		t.Fatal(err)
	}
	if s := p.Rules().Server("a.B/C"); s.Timeout != 10*time.Second || len(s.Faults) != 0 || p.Version() != "own-2" {
		t.Errorf("after the removal: %+v, version %q", s, p.Version())
	}
}

func TestPush_SwitchesShedOff(t *testing.T) {
	if got := layered(t, "shed: {maxLimit: 10}", "shed: {disabled: true}").Rules().Shed(Share{}); got != nil {
		t.Errorf("the limit is %v", got)
	}
}

func TestPush_RejectedPolicyChangesNothing(t *testing.T) {
	p := layered(t, "version: own", "{version: pushed, rate: {limits: [{tokenBucket: {rate: 5}}]}}")
	bad := &policyv1.EffectivePolicy{Version: "bad", Rate: &policyv1.RateLimits{Limits: []*policyv1.RateLimit{{}}}}
	if err := p.Push(bad); err == nil || p.Version() != "own+pushed" {
		t.Errorf("error %v, version %q", err, p.Version())
	}
}

func TestConnection_LastEntryOfEachPart(t *testing.T) {
	p := layered(t,
		"connections: [{leastRequest: true, retryBudget: {maxTokens: 7}}, {callee: other, leastRequest: false}]",
		"connections: [{callee: b, outlierEjection: {consecutiveFailures: 3}}, {callee: b, leastRequest: false}]")
	want := &policyv1.Connection{Callee: "b", LeastRequest: proto.Bool(false), RetryBudget: &policyv1.RetryBudget{MaxTokens: proto.Uint32(7)},
		OutlierEjection: &policyv1.OutlierEjection{ConsecutiveFailures: proto.Uint32(3)}}
	if got := p.Rules().Connection("b"); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConnection_EjectionInShadowModeIsApart(t *testing.T) {
	p := layered(t, "connections: [{outlierEjection: {consecutiveFailures: 3}}]",
		"connections: [{callee: b, outlierEjection: {consecutiveFailures: 2, shadow: true}}, {callee: c, outlierEjection: {shadow: true}}]")
	if got := p.Rules().Connection("b").GetOutlierEjection(); got.GetConsecutiveFailures() != 3 || got.GetShadow() {
		t.Errorf("enforced: %v", got)
	}
	if got := p.Rules().ShadowEjection("b"); got.GetConsecutiveFailures() != 2 {
		t.Errorf("in shadow mode: %v", got)
	}
	if got := p.Rules().ShadowEjection("d"); got != nil {
		t.Errorf("in shadow mode for another callee: %v", got)
	}
}

func TestPush_UnmatchedPatternsNameTheirLayer(t *testing.T) {
	l := layers{parsed(t, "server: [{method: x.Y/Z}]"), parsed(t, "client: [{callee: nobody}]")}
	got := l.unmatched(Known{Callees: []string{}})
	if len(got) != 2 || got[0] != "server[0].method: x.Y/Z" || got[1] != "pushed.client[0].callee: nobody" {
		t.Errorf("got %q", got)
	}
}
