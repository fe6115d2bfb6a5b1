package xds

import (
	"slices"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func TestServiceOf_OwnNamespaceOnly(t *testing.T) {
	for name, want := range map[string]string{
		"users": "users", "users:8443": "users", "users.shop": "users", "users.shop:443": "users", "users.shop.svc": "users",
		"users.shop.svc.cluster.local:8443": "users", "users.shop/user.v1.UserService/Get*": "users",
		"users.elsewhere": "", "users.shop.example": "", "": "",
	} {
		if got := ServiceOf(name, "shop"); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestMethodsOf_SpecialBeforeGeneral(t *testing.T) {
	rule := func(method string, attempts uint32, deadline bool) *policyv1.ClientRule {
		r := &policyv1.ClientRule{Callee: "users", Method: method, Retry: &policyv1.Retry{MaxAttempts: attempts}}
		if deadline {
			r.Deadline = &policyv1.ClientDeadline{None: true}
		}
		return r
	}
	p := &policyv1.EffectivePolicy{Client: []*policyv1.ClientRule{
		rule("a.B/*", 2, true), rule("a.B/Get", 3, false), rule("", 4, false), rule("a.B/G*", 5, false), {Callee: "other", Method: "x.Y/Z"},
	}}
	var got []string
	for _, m := range methodsOf(p, compile.Service{Name: "users"}) {
		got = append(got, m.pattern)
		// The last rule that matches has the retries, and the only one that has it the deadline.
		want := map[string]uint32{"a.B/Get": 5, "a.B/G*": 5, "a.B/*": 4, "": 4}[m.pattern]
		if m.retry.GetMaxAttempts() != want || (m.deadline != nil) != (m.pattern != "") {
			t.Errorf("%q: %d attempts, deadline %v", m.pattern, m.retry.GetMaxAttempts(), m.deadline)
		}
	}
	if want := []string{"a.B/Get", "a.B/G*", "a.B/*", ""}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestMethodsOf_FaultsByMetadata(t *testing.T) {
	p := &policyv1.EffectivePolicy{ClientFaults: []*policyv1.Fault{
		{Name: "all"}, {Name: "one", Metadata: map[string]string{"a": "1"}}, {Name: "both", Metadata: map[string]string{"a": "1", "b": "2"}}, {Name: "elsewhere", Callee: "other"},
	}}
	var got [][]string
	for _, m := range methodsOf(p, compile.Service{Name: "users"}) {
		names := []string{}
		for _, f := range m.faults {
			names = append(names, f.GetName())
		}
		got = append(got, names)
	}
	want := [][]string{{"all", "one", "both"}, {"all", "one"}, {"all"}}
	if len(got) != 3 || !slices.Equal(got[0], want[0]) || !slices.Equal(got[1], want[1]) || !slices.Equal(got[2], want[2]) {
		t.Errorf("faults %q, want %q", got, want)
	}
}

func TestPathOf_Patterns(t *testing.T) {
	for pattern, want := range map[string]string{
		"": `prefix:"/"`, "a.B/C": `path:"/a.B/C"`, "a.B/*": `prefix:"/a.B/"`, "a.?/C*": `safe_regex:{regex:"/a\\.[^/]/C[^/]*"}`,
	} {
		if got := pathOf(pattern).String(); got != want {
			t.Errorf("%q: %s, want %s", pattern, got, want)
		}
	}
}

func TestIntersect_IsSymmetric(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.B/Get*", "a.B/*User", true},
		{"a.B/Get*", "a.B/Set*", false},
		{"a.*/C", "*.B/?", true},
		{"a/*", "a/b/c", false},
		{"*", "", true},
		{"?", "", false},
		{"a*b*c", "*a*c", true},
		{"a.B/Get", "a.B/Get", true},
	} {
		if got := intersect(c.a, c.b); got != c.want || intersect(c.b, c.a) != c.want {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// TestBuild_WithoutPartialRules checks that a policy in shadow mode, or for a share of the calls, is not sent to a client that would enforce it for
// every call, and that the verdict is Ignored.
func TestBuild_WithoutPartialRules(t *testing.T) {
	const parts = "maxRequestsPerSecond: 7\nmethods: [{method: x.Y/Z, deadline: {timeout: 3s}, breaker: {maxConcurrent: 7}, bulkhead: {maxConcurrent: 7}, callers: {allow: [a]}}]"
	in := world()
	build := func(kind Kind, text string) (Resources, compile.Compiled) {
		c := compile.New(withPolicy(t, in, "p", text))
		pod := world().Pods[1]
		compiled := c.For(compile.Process{Pod: pod, Callees: []string{"users"}})
		return Build(Input{Kind: kind, Pod: pod, Policy: compiled.Policy, Services: []compile.Service{c.Service(pod.Namespace, "users")}, Listeners: []string{"users"}}), compiled
	}
	version := func(r Resources) (all string) {
		for _, kind := range Types {
			all += Version(r[kind])
		}
		return all
	}
	for _, kind := range []Kind{GRPC, Envoy} {
		none, _ := build(kind, "")
		whole, _ := build(kind, "percent: 100\n"+parts)
		if version(whole) == version(none) {
			t.Errorf("%s: percent 100 is not every call", kind)
		}
		for _, text := range []string{"shadow: true\noutlierEjection: {failureRatio: 0.1}\n" + parts, "percent: 50\n" + parts, "percent: 0\n" + parts,
			"outlierEjection: {failureRatio: 0.1, shadow: true}"} {
			got, compiled := build(kind, text)
			if version(got) != version(none) {
				t.Errorf("%s, %q: the resources are not those without the policy", kind, text)
			}
			for _, v := range compiled.Values {
				for _, f := range Judge(kind, v) {
					if f.GetVerdict() != controlv1.Verdict_VERDICT_IGNORED || f.GetWhy() == "" {
						t.Errorf("%s, %q: %s is %s", kind, text, f.GetField(), f.GetVerdict())
					}
				}
			}
		}
	}
}

// TestInjected_WithoutShadow checks that a fault in shadow mode is not sent to a client that would inject it, on both sides.
func TestInjected_WithoutShadow(t *testing.T) {
	enforced, shadow := &policyv1.Fault{Name: "enforced"}, &policyv1.Fault{Name: "tried", Shadow: true, Kind: &policyv1.Fault_Hang{Hang: &policyv1.Hang{}}}
	p := &policyv1.EffectivePolicy{ServerFaults: []*policyv1.Fault{enforced, shadow}, ClientFaults: []*policyv1.Fault{shadow, enforced}}
	for side, methods := range map[string][]method{"server": receivedBy(p), "client": methodsOf(p, compile.Service{Name: "users"})} {
		for _, m := range methods {
			if len(m.faults) != 1 || m.faults[0] != enforced {
				t.Errorf("%s: faults %v of %q", side, m.faults, m.pattern)
			}
		}
	}
}
