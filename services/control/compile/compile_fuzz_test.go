package compile

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// FuzzCompile_IsValidAndDeterministic gives arbitrary specifications to the reader, and those that it accepts to the compiler, whose results a process must accept.
func FuzzCompile_IsValidAndDeterministic(f *testing.F) {
	for _, text := range []string{
		byName + "maxRequestsPerSecond: 50",
		byName + "methods: [{method: x.Y/Z, deadline: {timeout: 1s, none: false}, retry: {idempotent: true, maxAttempts: 3, codes: [UNAVAILABLE]}}]",
		byName + "methods: [{rate: {limits: [{scope: pod, limit: {perCaller: true, leakyBucket: {rate: 0.5, queue: 4}}}]}, callers: {allow: ['spiffe://a/*']}}]",
		byName + "loadBalancing: {algorithm: least_request}\noutlierEjection: {maxEjectionPercent: 100}\nslowStart: {window: 5s}\ntuning: {gzip: true}\nshed: {minLimit: 1, maxLimit: 2, initialLimit: 1}",
		"selector: {matchLabels: {}}", "{", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec := &policyv1.TrafficPolicySpec{}
		if _, err := policy.Decode([]byte(text), spec); err != nil || len(policy.Check(spec)) > 0 {
			return
		}
		w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1"), pod("b", "b-2")}, Policies: []TrafficPolicy{traffic("p", spec)}}
		for _, p := range w.Pods {
			first := New(w).For(Process{Pod: p}).Policy
			if problems := policy.Check(first); len(problems) > 0 {
				t.Fatalf("%q\nbecame a policy that processes reject: %v", text, problems)
			}
			if second := New(w).For(Process{Pod: p}).Policy; !proto.Equal(first, second) {
				t.Fatalf("%q\nis compiled differently each time", text)
			}
		}
	})
}
