package governance

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestObservePolicy_Pushed sets policies as a control plane does, without a file.
func TestObservePolicy_Pushed(t *testing.T) {
	var log bytes.Buffer
	metrics, events := NewMetrics(), NewEvents(0)
	p := &policy.Policy{}
	ObservePolicy(p, "pushed", metrics, events, NewLog(&log, slog.LevelInfo))
	p.Know(policy.Known{Served: []string{"a.B/C"}})
	for _, c := range []struct {
		sentence                    string
		next                        *policyv1.EffectivePolicy
		version, result, detail     string
		applied, refused, unmatched float64
	}{
		{"a policy", &policyv1.EffectivePolicy{Version: "one", Server: []*policyv1.ServerRule{{Method: "a.B/*"}}}, "one", "applied", `version "one" in force`, 1, 0, 0},
		{"a policy with a pattern that matches nothing", &policyv1.EffectivePolicy{Version: "two", Server: []*policyv1.ServerRule{{Method: "no.Such/Method"}}},
			"two", "unmatched", "nothing matches server[0].method: no.Such/Method", 2, 0, 1},
		{"a policy that cannot be used", &policyv1.EffectivePolicy{Version: "three", Client: []*policyv1.ClientRule{{Breaker: &policyv1.Breaker{FailureRatio: proto.Float64(25)}}}},
			"two", "kept", "kept the last good one: reading the policy: client[0].breaker.failureRatio", 2, 1, 1},
		{"no policy", nil, "", "applied", `version "" in force`, 3, 1, 0},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			log.Reset()
			if err := p.Set(c.next); (err != nil) != (c.result == "kept") {
				t.Error("got", err)
			}
			for name, want := range map[string]float64{"sandbox_policy_reloads_total": c.applied, "sandbox_policy_errors_total": c.refused,
				"sandbox_policy_unmatched_patterns": c.unmatched, "sandbox_policy_info": 1} {
				if got := metric(t, metrics, name); got != want {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
			if metric(t, metrics, "sandbox_policy_info", "version", c.version) != 1 {
				t.Errorf("sandbox_policy_info does not have the version %q", c.version)
			}
			kept, _, _ := events.After(0)
			if last := kept[len(kept)-1]; last.Kind != KindPolicy || last.Subject != "pushed" || !strings.HasPrefix(last.Detail, c.detail) ||
				last.Labels["version"] != c.version || last.Labels["result"] != c.result {
				t.Errorf("the newest event is %+v", last)
			}
			if log.Len() == 0 {
				t.Error("nothing is logged")
			}
		})
	}
}

func TestObservePolicy_WithoutMetricsAndEvents(t *testing.T) {
	p := &policy.Policy{}
	ObservePolicy(p, "pushed", nil, nil, quiet)
	must(t, p.Set(nil))
}

func TestPolicy_PushedIntoProcess(t *testing.T) {
	var process *Process
	at, stop, ended := program(t, func(c *Config) { c.DrainDelay = 0 }, func(p *Process, s *grpc.Server) error {
		process = p
		testv1.RegisterTestServiceServer(s, fake{})
		return nil
	})
	must(t, process.Policy.Set(&policyv1.EffectivePolicy{Version: "pushed-7", Server: []*policyv1.ServerRule{{Method: "no.Such/Method"}, {Method: unaryMethod}}}))
	answer, err := http.Get("http://" + at.Metrics + "/metrics")
	must(t, err)
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	must(t, answer.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	for _, want := range []string{`sandbox_policy_info{version="pushed-7"} 1`, "sandbox_policy_reloads_total 1", "sandbox_policy_unmatched_patterns 1"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	events, _, _ := process.Events.After(0)
	if last := events[len(events)-1]; last.Kind != KindPolicy || last.Labels["version"] != "pushed-7" {
		t.Errorf("the newest event is %+v", last)
	}
	stop()
	must(t, <-ended)
}
