package xds

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// fieldsOf returns the fields of a message that a client can be asked about: part.field, or part for one without fields.
func fieldsOf(m protoreflect.MessageDescriptor, skip ...protoreflect.Name) (all []string) {
	fields := m.Fields()
next:
	for i := range fields.Len() {
		f := fields.Get(i)
		for _, name := range skip {
			if f.Name() == name {
				continue next
			}
		}
		if f.Message() == nil || f.Message().Fields().Len() == 0 {
			all = append(all, f.JSONName())
			continue
		}
		if _, whole := verdicts[f.JSONName()]; whole {
			all = append(all, f.JSONName())
			continue
		}
		inner := f.Message().Fields()
		for j := range inner.Len() {
			all = append(all, f.JSONName()+"."+inner.Get(j).JSONName())
		}
	}
	return all
}

func TestVerdicts_CoverEveryField(t *testing.T) {
	want := map[string]bool{"healthCheck.disabled": true, "fallback.disabled": true}
	for _, name := range fieldsOf((&policyv1.TrafficPolicySpec{}).ProtoReflect().Descriptor(), "selector", "methods", "shadow", "percent") {
		want[name] = true
	}
	for _, name := range fieldsOf((&policyv1.MethodPolicy{}).ProtoReflect().Descriptor(), "method") {
		want[name] = true
	}
	fault := (&policyv1.FaultSpec{}).ProtoReflect().Descriptor().Fields()
	for i := range fault.Len() {
		if f := fault.Get(i); !unjudged[f.Name()] {
			want["fault."+f.JSONName()] = true
		}
	}
	for name := range want {
		row, ok := verdicts[name]
		if !ok {
			t.Errorf("%s has no verdicts", name)
			continue
		}
		for kind, f := range map[Kind]finding{GRPC: row.grpc, Envoy: row.envoy} {
			if f.depends == nil && f.verdict == controlv1.Verdict_VERDICT_UNSPECIFIED || f.depends == nil && f.verdict != controlv1.Verdict_VERDICT_ENFORCED && f.why == "" {
				t.Errorf("%s, %s: a verdict other than enforced needs a reason", name, kind)
			}
		}
	}
	for name := range verdicts {
		if !want[name] {
			t.Errorf("%s is no field", name)
		}
	}
}

func TestJudge_GRPCGoAndEnvoy(t *testing.T) {
	const e, a, i = controlv1.Verdict_VERDICT_ENFORCED, controlv1.Verdict_VERDICT_APPROXIMATED, controlv1.Verdict_VERDICT_IGNORED
	for name, c := range map[string]struct {
		policy string
		field  string
		side   compile.Side
		grpc   controlv1.Verdict
		envoy  controlv1.Verdict
	}{
		"a rate of the workload":                {"maxRequestsPerSecond: 5", "maxRequestsPerSecond", compile.Server, i, a},
		"limits of each caller only":            {"methods: [{rate: {limits: [{limit: {perCaller: true, tokenBucket: {rate: 1}}}]}}]", "methods[0].rate.limits", compile.Server, i, i},
		"a time-out":                            {"methods: [{deadline: {timeout: 1s}}]", "methods[0].deadline.timeout", compile.Client, a, a},
		"no time-out":                           {"methods: [{deadline: {none: true}}]", "methods[0].deadline.none", compile.Client, e, e},
		"streams without a time-out":            {"methods: [{deadline: {streamNone: true}}]", "methods[0].deadline.streamNone", compile.Client, e, e},
		"streams that the time-out limits":      {"methods: [{deadline: {streamNone: true, timeout: 1s}}]", "methods[0].deadline.streamNone", compile.Client, i, i},
		"the failures of a breaker":             {"methods: [{breaker: {failureRatio: 0.5}}]", "methods[0].breaker.failureRatio", compile.Client, i, a},
		"a throttle":                            {"methods: [{throttle: {failureRatio: 0.5}}]", "methods[0].throttle.failureRatio", compile.Client, i, e},
		"slow start":                            {"slowStart: {window: 30s}", "slowStart.window", compile.Client, i, a},
		"retries after UNAVAILABLE":             {"methods: [{retry: {idempotent: true, maxAttempts: 2, codes: [UNAVAILABLE]}}]", "methods[0].retry.codes", compile.Client, e, e},
		"retries after ABORTED":                 {"methods: [{retry: {idempotent: true, maxAttempts: 2, codes: [ABORTED]}}]", "methods[0].retry.codes", compile.Client, a, e},
		"a multiplier of 2":                     {"methods: [{retry: {idempotent: true, maxAttempts: 2, multiplier: 2}}]", "methods[0].retry.multiplier", compile.Client, e, e},
		"a multiplier of 3":                     {"methods: [{retry: {idempotent: true, maxAttempts: 2, multiplier: 3}}]", "methods[0].retry.multiplier", compile.Client, a, a},
		"a time-out of each attempt":            {"methods: [{retry: {idempotent: true, maxAttempts: 2, perTryTimeout: 1s}}]", "methods[0].retry.perTryTimeout", compile.Client, i, e},
		"hedging":                               {"methods: [{hedge: {idempotent: true, delay: 1s}}]", "methods[0].hedge.delay", compile.Client, i, a},
		"hedging that is removed":               {"methods: [{hedge: {maxAttempts: 1}}]", "methods[0].hedge.maxAttempts", compile.Client, e, e},
		"a part that is there and has no field": {"healthCheck: {}", "healthCheck", compile.Client, a, a},
		"window of the own server":              {"tuning: {streamWindowBytes: 131072}", "tuning.streamWindowBytes", compile.Server, i, i},
		"window of connections":                 {"tuning: {streamWindowBytes: 131072}", "tuning.streamWindowBytes", compile.Client, i, e},
	} {
		compiled := compile.New(withPolicy(t, world(), "p", c.policy)).For(compile.Process{Pod: world().Pods[1], Callees: []string{"users"}})
		for kind, want := range map[Kind]controlv1.Verdict{GRPC: c.grpc, Envoy: c.envoy} {
			var got []string
			found := false
			for _, v := range compiled.Values {
				if v.Side != c.side {
					continue
				}
				// Read when a process starts or connects, which an xDS client does not do for it.
				v.Approximated = ""
				for _, f := range Judge(kind, v) {
					got = append(got, f.GetField())
					if f.GetField() == c.field {
						found = true
						if f.GetVerdict() != want || (f.GetWhy() == "") != (want == e) {
							t.Errorf("%s, %s: %s (%s), want %s", name, kind, f.GetVerdict(), f.GetWhy(), want)
						}
					}
				}
			}
			if !found {
				t.Errorf("%s, %s: no verdict on %s among %q", name, kind, c.field, got)
			}
		}
	}
}

func TestJudge_FieldsOfAFault(t *testing.T) {
	f := compile.Value{Object: compile.Object{Kind: compile.KindFault}, Field: "fault", Side: compile.Client, Part: &policyv1.FaultSpec{Percent: proto.Float64(50), LeaseSeconds: 10,
		Kind: &policyv1.FaultSpec_Cut{Cut: &policyv1.Cut{}}}}
	var got []string
	for _, v := range Judge(GRPC, f) {
		got = append(got, v.GetField()+" "+strings.TrimPrefix(v.GetVerdict().String(), "VERDICT_"))
	}
	if want := "fault.percent ENFORCED fault.cut IGNORED fault.leaseSeconds APPROXIMATED"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOverlapped_OnlyWhatIntersects(t *testing.T) {
	w := withPolicy(t, world(), "p", `methods: [{method: "a.B/Get*", deadline: {none: true}}, {method: "a.B/*User", retry: {maxAttempts: 1}}, {method: a.B/Get, deadline: {timeout: 1s}}]`)
	compiled := compile.New(w).For(compile.Process{Pod: w.Pods[0], Callees: []string{"users"}})
	for _, v := range compiled.Values {
		why := Overlapped(v, compiled.Values)
		if (why != "") != (v.Field == "methods[0].deadline") {
			t.Errorf("%s of %s: %q", v.Field, v.Method, why)
		}
	}
}
