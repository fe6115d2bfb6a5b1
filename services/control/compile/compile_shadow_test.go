package compile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// onServer compiles policies for a pod of b.
func onServer(policies ...TrafficPolicy) Compiled {
	return New(World{Pods: []Pod{pod("b", "b-1")}, Policies: policies}).For(Process{Pod: pod("b", "b-1"), Callees: []string{}})
}

// losers returns the fields that lost, each with its object and the winner.
func losers(c Compiled) string {
	var all []string
	for _, v := range c.Values {
		if v.LostTo != nil {
			all = append(all, fmt.Sprintf("%s %s to %s", v.Object.Name, v.Field, v.LostTo.Name))
		}
	}
	return strings.Join(all, ", ")
}

// TestShadow_Precedence gives a strong policy, with more labels, and a weak one.
func TestShadow_Precedence(t *testing.T) {
	const ten = "methods: [{bulkhead: {maxConcurrent: 10}}]"
	const twenty = "methods: [{bulkhead: {maxConcurrent: 20}}]"
	for _, c := range []struct {
		sentence, strong, weak string
		// enforced and shadowed are the limits of a call with the lowest number, others those of a call with the highest.
		enforced, shadowed, others int64
		lost                       string
	}{
		{"both are enforced", ten, twenty, 10, 0, 10, "weak methods[0].bulkhead to strong"},
		{"the strong one is in shadow mode", "shadow: true\n" + ten, twenty, 20, 10, 20, ""},
		{"the weak one is in shadow mode", ten, "shadow: true\n" + twenty, 10, 20, 10, ""},
		{"both are in shadow mode", "shadow: true\n" + ten, "shadow: true\n" + twenty, 0, 10, 0, "weak methods[0].bulkhead to strong"},
		{"the strong one applies to a share", "percent: 5\n" + ten, twenty, 10, 0, 20, ""},
		{"the weak one applies to a share", ten, "percent: 5\n" + twenty, 10, 0, 10, "weak methods[0].bulkhead to strong"},
		{"the share of the strong one is larger", "percent: 6\n" + ten, "percent: 5\n" + twenty, 10, 0, 0, "weak methods[0].bulkhead to strong"},
		{"the share of the weak one is larger", "percent: 5\n" + ten, "percent: 100\n" + twenty, 10, 0, 20, ""},
		{"a share in shadow mode", "percent: 5\nshadow: true\n" + ten, "shadow: true\n" + twenty, 0, 10, 0, ""},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			compiled := onServer(traffic("strong", specOf(t, byBoth+c.strong)), traffic("weak", specOf(t, byName+c.weak)))
			inForce, err := policy.New(compiled.Policy)
			if err != nil {
				t.Fatal(err)
			}
			others := inForce.Rules().Server("x.Y/Z")
			first := others
			if len(others.Shares) > 0 {
				first = others.Shares[0]
			}
			var shadowed int64
			if first.Shadow != nil {
				shadowed = first.Shadow.MaxConcurrent
			}
			if first.MaxConcurrent != c.enforced || shadowed != c.shadowed || others.MaxConcurrent != c.others {
				t.Errorf("enforced %d and %d, in shadow mode %d, want %d, %d and %d", first.MaxConcurrent, others.MaxConcurrent, shadowed, c.enforced, c.others, c.shadowed)
			}
			if got := losers(compiled); got != c.lost {
				t.Errorf("lost: %q, want %q", got, c.lost)
			}
		})
	}
}

func TestShadow_LimitsOfAllCalls(t *testing.T) {
	const hundred, fifty = "maxRequestsPerSecond: 100\nshed: {maxLimit: 10}", "maxRequestsPerSecond: 50"
	for _, c := range []struct {
		sentence, strong, weak string
		// number, share and shadow are rates.
		rate, share, shadow float64
		shed                bool
		lost                string
	}{
		{"the weak one is in shadow mode", hundred, "shadow: true\n" + fifty, 100, 100, 50, true, ""},
		{"the strong one is in shadow mode", "shadow: true\n" + fifty, hundred, 100, 100, 50, true, ""},
		{"the strong one applies to a share", "percent: 5\n" + fifty, hundred, 100, 50, 0, true, ""},
		{"the weak one applies to a share", fifty, "percent: 5\n" + hundred, 50, 50, 0, true, "weak maxRequestsPerSecond to strong"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			compiled := onServer(traffic("strong", specOf(t, byBoth+c.strong)), traffic("weak", specOf(t, byName+c.weak)))
			inForce, err := policy.New(compiled.Policy)
			if err != nil {
				t.Fatal(err)
			}
			rules := inForce.Rules()
			rateOf := func(of policy.Share) float64 {
				if limits := rules.Rate(of); len(limits) > 0 {
					return limits[0].GetTokenBucket().GetRate()
				}
				return 0
			}
			base := rules.Server("x.Y/Z")
			first := base
			if len(base.Shares) > 0 {
				first = base.Shares[0]
			}
			shadow := 0.0
			if first.Shadow != nil {
				shadow = rateOf(first.Shadow.RateOf)
			}
			if rateOf(base.RateOf) != c.rate || rateOf(first.RateOf) != c.share || shadow != c.shadow {
				t.Errorf("rates %v, of a share %v, in shadow mode %v", rateOf(base.RateOf), rateOf(first.RateOf), shadow)
			}
			if (rules.Shed(first.ShedOf) != nil) != c.shed {
				t.Errorf("shed %v", rules.Shed(first.ShedOf))
			}
			if got := losers(compiled); got != c.lost {
				t.Errorf("lost: %q, want %q", got, c.lost)
			}
		})
	}
}

func TestShadow_Client(t *testing.T) {
	w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{
		traffic("p", specOf(t, byName+"methods: [{deadline: {timeout: 1s}}]")),
		traffic("q", specOf(t, byBoth+"shadow: true\npercent: 20\nmethods: [{deadline: {timeout: 500ms}, breaker: {minCalls: 3}}]"))}}
	compiled := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}})
	inForce, err := policy.New(compiled.Policy)
	if err != nil {
		t.Fatal(err)
	}
	r := inForce.Rules().Client("b", "x.Y/Z")
	if r.Timeout != time.Second || r.Shadow != nil || len(r.Shares) != 1 || r.Shares[0].Timeout != time.Second || r.Shares[0].Shadow.Timeout != time.Second/2 || r.Shares[0].Shadow.Breaker.GetMinCalls() != 3 {
		t.Errorf("rule %+v", r)
	}
	for _, v := range compiled.Values {
		if want := v.Object.Name == "q"; v.Shadow != want || (v.Percent != nil) != want || v.Partial() != want || v.LostTo != nil {
			t.Errorf("value %+v", v)
		}
	}
}

// TestShadow_Ejection checks that an ejection in shadow mode, of its own or of the policy, is pushed next to the enforced one.
func TestShadow_Ejection(t *testing.T) {
	const three, two = "outlierEjection: {consecutiveFailures: 3}", "outlierEjection: {consecutiveFailures: 2"
	for _, c := range []struct {
		sentence, strong, weak string
		enforced, shadowed     uint32
		lost                   string
	}{
		{"both are enforced", three, two + "}", 3, 0, "weak outlierEjection to strong"},
		{"the strong policy is in shadow mode", "shadow: true\n" + three, two + "}", 2, 3, ""},
		{"the weak policy is in shadow mode", three, "shadow: true\n" + two + "}", 3, 2, ""},
		{"the ejection of the weak policy is in shadow mode", three, two + ", shadow: true}", 3, 2, ""},
		{"both are in shadow mode", "shadow: true\n" + three, two + ", shadow: true}", 0, 3, "weak outlierEjection to strong"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{
				traffic("strong", specOf(t, byBoth+c.strong)), traffic("weak", specOf(t, byName+c.weak))}}
			compiled := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}})
			inForce, err := policy.New(compiled.Policy)
			if err != nil {
				t.Fatal(err)
			}
			enforced, shadowed := inForce.Rules().Connection("b").GetOutlierEjection().GetConsecutiveFailures(), inForce.Rules().ShadowEjection("b").GetConsecutiveFailures()
			if enforced != c.enforced || shadowed != c.shadowed {
				t.Errorf("enforced %d, in shadow mode %d, want %d and %d", enforced, shadowed, c.enforced, c.shadowed)
			}
			if got := losers(compiled); got != c.lost {
				t.Errorf("lost: %q, want %q", got, c.lost)
			}
		})
	}
}

func TestShadow_Fault(t *testing.T) {
	spec := &policyv1.FaultSpec{}
	if _, err := policy.Decode([]byte(byName+"shadow: true\nabort: {code: UNAVAILABLE}\nduration: 1h"), spec); err != nil {
		t.Fatal(err)
	}
	f := Fault{Object: Object{Kind: KindFault, Namespace: "shop", Name: "f", UID: "u", Created: time.Now()}, Spec: spec}
	compiled := New(World{Pods: []Pod{pod("b", "b-1")}, Faults: []Fault{f}, Now: time.Now()}).For(Process{Pod: pod("b", "b-1"), Callees: []string{}})
	if got := compiled.Policy.GetServerFaults(); len(got) != 1 || !got[0].GetShadow() {
		t.Errorf("faults %v", got)
	}
	if v := compiled.Values; len(v) != 1 || !v[0].Shadow || v[0].Text != "abort {code: UNAVAILABLE} in shadow mode" {
		t.Errorf("values %+v", v)
	}
}

// TestShadow_PartsThatRefuseNothing checks that each part that cannot be evaluated, or does not concern single calls, is refused.
func TestShadow_PartsThatRefuseNothing(t *testing.T) {
	const inShadow, ofShare = "shadow: cannot be together with", "percent: cannot be together with"
	for text, want := range map[string]string{
		"shadow: true\nmaxRequestsPerSecond: 1\nshed: {}": "",
		"shadow: true\nmethods: [{rate: {}, bulkhead: {}, serverDeadline: {}, callers: {}, deadline: {}, breaker: {}, throttle: {}}]":          "",
		"percent: 1\nmethods: [{rate: {}, priority: high, callerPriority: {}, retry: {maxAttempts: 1}, classify: {}, fallback: {}}]\nshed: {}": "",
		"shadow: true\nloadBalancing: {}":                    inShadow,
		"shadow: true\noutlierEjection: {}":                  "",
		"shadow: true\noutlierEjection: {disabled: true}":    inShadow,
		"outlierEjection: {shadow: true, disabled: true}":    "outlierEjection.shadow: cannot be together with",
		"shadow: true\nretryBudget: {}":                      inShadow,
		"shadow: true\nhealthCheck: {}":                      inShadow,
		"shadow: true\nslowStart: {window: 1s}":              inShadow,
		"shadow: true\ntuning: {}":                           inShadow,
		"percent: 1\nloadBalancing: {}":                      ofShare,
		"percent: 1\noutlierEjection: {}":                    ofShare,
		"percent: 1\nretryBudget: {}":                        ofShare,
		"percent: 1\nhealthCheck: {}":                        ofShare,
		"percent: 1\nslowStart: {window: 1s}":                ofShare,
		"shadow: true\nserverIdentity: {}":                   inShadow,
		"percent: 1\nserverIdentity: {}":                     ofShare,
		"percent: 1\ntuning: {}":                             ofShare,
		"shadow: true\nmethods: [{priority: high}]":          inShadow,
		"shadow: true\nmethods: [{shedGroup: g}]":            inShadow,
		"shadow: true\nmethods: [{callerPriority: }]":        inShadow,
		"shadow: true\nmethods: [{retry: {maxAttempts: 1}}]": inShadow,
		"shadow: true\nmethods: [{hedge: {maxAttempts: 1}}]": inShadow,
		"shadow: true\nmethods: [{fallback: {}}]":            inShadow,
		"shadow: true\nmethods: [{classify: {}}]":            inShadow,
		"percent: 101": "percent: must be from 0 to 100",
	} {
		spec := &policyv1.TrafficPolicySpec{}
		_, err := policy.Decode([]byte(byName+text), spec)
		if err == nil {
			if problems := policy.Check(spec); len(problems) > 0 {
				err = &policy.Error{Problems: problems}
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
