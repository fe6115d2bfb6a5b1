package traffic

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

func TestNewFault_FromOptions(t *testing.T) {
	const selector = "{selector: {matchLabels: {app.kubernetes.io/name: userservice}}"
	for _, c := range []struct {
		sentence    string
		o           FaultOptions
		want, wrong string
	}{
		{"an error", FaultOptions{Abort: "unavailable", Cut: -1, Percent: 100}, selector + ", abort: {code: UNAVAILABLE}, leaseSeconds: 10}", ""},
		{"a delay with jitter", FaultOptions{Delay: "100ms, 50ms", Cut: -1, Percent: 100}, selector + ", delay: {fixed: 100ms, jitter: 50ms}, leaseSeconds: 10}", ""},
		{"some calls that hang for a time", FaultOptions{Hang: true, Cut: -1, Percent: 0, Method: "a.B/*", Pods: 1, For: time.Minute},
			selector + `, method: "a.B/*", percent: 0, pods: 1, hang: {}, duration: 1m0s, leaseSeconds: 10}`, ""},
		{"a cut of outgoing calls", FaultOptions{Cut: 0, Percent: 100, Client: true, Callee: "b"}, selector + ", side: client, callee: b, cut: {}, leaseSeconds: 10}", ""},
		{"a slow service", FaultOptions{Throttle: 5, Cut: -1, Percent: 100}, selector + ", throttle: {rate: 5}, leaseSeconds: 10}", ""},
		{"in shadow mode", FaultOptions{Hang: true, Cut: -1, Percent: 100, Shadow: true}, selector + ", hang: {}, leaseSeconds: 10, shadow: true}", ""},
		{"no effect", FaultOptions{Cut: -1, Percent: 100}, "", ""},
		{"an unknown code", FaultOptions{Cut: -1, Abort: "BAD", Percent: 100}, "", "abort.code"},
		{"too long", FaultOptions{Cut: -1, Hang: true, Percent: 100, For: 2 * time.Hour}, "", "duration"},
		{"a share of more than all", FaultOptions{Cut: -1, Hang: true, Percent: 101}, "", "percent"},
		{"a callee of received calls", FaultOptions{Cut: -1, Hang: true, Percent: 100, Callee: "b"}, "", "callee"},
	} {
		c.o.Release = "userservice"
		spec, err := NewFault(c.o)
		if c.want == "" {
			var found *policy.Error
			if !errors.As(err, &found) || found.Problems[0].Field != c.wrong {
				t.Errorf("%s: %v", c.sentence, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.sentence, err)
			continue
		}
		if diff := cmp.Diff(c.want, policy.MessageText(spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
	if _, err := NewFault(FaultOptions{Delay: "100ms,x", Cut: -1}); err == nil || err.Error() != `"x" is not a duration` {
		t.Errorf("a jitter that is no duration: %v", err)
	}
}

func TestSummarizeFault_UnreadableSpec(t *testing.T) {
	s := SummarizeFault(api.Fault{Spec: []byte(`{"nothing":1}`)})
	if s.Phase != api.FaultPending || s.Effect != "none" || s.Targets == nil || s.Selector == nil {
		t.Errorf("got %+v", s)
	}
}
