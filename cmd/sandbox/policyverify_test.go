package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/sandbox/live/probe"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// fakeProber returns results.
type fakeProber struct {
	results []probe.Result
	err     error
}

func (f fakeProber) Run(context.Context, *policyv1.TrafficPolicySpec) ([]probe.Result, error) {
	return f.results, f.err
}

func TestPolicyVerify_ExitCodes(t *testing.T) {
	enforced := probe.Result{Field: "maxRequestsPerSecond", Value: "50", Verdict: probe.Enforced, Observed: "49.8/s admitted of 200.0/s offered over 10 s"}
	not := probe.Result{Field: "methods[0].deadline.timeout", Value: "250ms", Verdict: probe.NotEnforced, Observed: "0 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED"}
	skipped := probe.Result{Field: "shed.minLimit", Value: "2", Verdict: probe.NotProbed, Observed: "there is no probe for this field"}
	for _, c := range []struct {
		sentence string
		prober   fakeProber
		code     int
		wrong    string
	}{
		{"enforced", fakeProber{results: []probe.Result{enforced, skipped}}, exitDone, ""},
		{"not enforced", fakeProber{results: []probe.Result{enforced, not, skipped}}, exitNotHeld,
			"sandbox: not enforced: methods[0].deadline.timeout\ntry: sandbox policy status limit\n"},
		{"a probe failed", fakeProber{[]probe.Result{skipped}, errors.New("probing shed: no answer")}, exitEnvironment, "sandbox: probing shed: no answer\n"},
		{"interrupted", fakeProber{nil, context.Canceled}, exitEnvironment, "sandbox: context canceled\n"},
	} {
		var out strings.Builder
		err := policyProbe{name: "limit"}.verify(t.Context(), &out, c.prober, nil)
		code := exitDone
		var coded *codedError
		switch {
		case errors.As(err, &coded):
			code = coded.code
		case err != nil:
			code = exitEnvironment
		}
		if code != c.code {
			t.Errorf("%s: exit code %d, %v", c.sentence, code, err)
		}
		if err != nil {
			if diff := cmp.Diff(c.wrong, printedError(&globals{name: "sandbox"}, err)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
			}
		}
		if (out.String() == "") != (c.prober.results == nil) {
			t.Errorf("%s: printed %q", c.sentence, out.String())
		}
	}
	var out strings.Builder
	_ = policyProbe{name: "limit"}.verify(t.Context(), &out, fakeProber{results: []probe.Result{enforced, not, skipped}}, nil)
	const want = `FIELD                        VALUE  VERDICT       OBSERVED
maxRequestsPerSecond         50     enforced      49.8/s admitted of 200.0/s offered over 10 s
methods[0].deadline.timeout  250ms  not enforced  0 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED
shed.minLimit                2      not probed    there is no probe for this field
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	out.Reset()
	_ = policyProbe{name: "limit", asJSON: true}.verify(t.Context(), &out, fakeProber{results: []probe.Result{not}}, nil)
	const wantJSON = `{
  "policy": "limit",
  "enforced": false,
  "fields": [
    {
      "field": "methods[0].deadline.timeout",
      "value": "250ms",
      "verdict": "not enforced",
      "observed": "0 of 12 calls that would take 2.25s ended with DEADLINE_EXCEEDED"
    }
  ]
}
`
	if diff := cmp.Diff(wantJSON, out.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
