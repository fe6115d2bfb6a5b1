//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/scenarios"
)

// TestScenarios_PassAndCleanUp ranges over the built-in scenarios, so that a new scenario runs on a real cluster without an entry here.
func TestScenarios_PassAndCleanUp(t *testing.T) {
	for _, scenario := range scenarios.Builtin() {
		feature(t, scenario.Name, func(ctx context.Context, t *testing.T) {
			report, code := runScenario(ctx, t, scenario.Name)
			if len(report.Cleanup.Residue) != 0 {
				t.Errorf("left behind: %v", report.Cleanup.Residue)
			}
			judged := 0
			for _, e := range report.Expectations {
				if strings.Contains(e.Name, "latency") {
					// Latency depends on the load of the machine; lost calls do not.
					continue
				}
				judged++
				if e.Result != "pass" {
					t.Errorf("%s: %s", e.Name, e.Result)
				}
			}
			if judged < 3 || code > 1 {
				t.Errorf("judged %d expectations and ended with %d: %+v", judged, code, report)
			}
		})
	}
}

// impossible lists edits of built-in scenarios that make an expectation impossible: a false trace, another victim, a fault that the cure cannot help against, or no
// cure. Any other scenario gets an additional expectation.
var impossible = map[string][2]string{
	"breaker-trip": {"visits: [closed, open, half-open, closed]", "trace: [closed]"},
	// Ejection saves nothing if every replica fails some calls.
	"bad-replica": {"pods: 1, ", "percent: 10, "},
	// So few calls are slower than allowed that neither a breaker opens nor the limit of the scenario stops it.
	"slow-payments": {"delay: {fixed: 200ms}", "delay: {fixed: 700ms}, percent: 20"},
	// The other partner is revoked.
	"partner-revoked": {"revokePartner: {partner: acme}", "revokePartner: {partner: globex}"},
	// Without their cures: the time-out of each attempt, the budget, the limit of each caller.
	"avalanche":       {"perTryTimeout: 200ms, ", ""},
	"retry-storm":     {budget, budget + "          retryBudget: {disabled: true}\n"},
	"noisy-neighbour": {"perCaller: true, ", ""},
}

// budget is the start of the policy of retry-storm with a budget.
const budget = "    - name: a budget\n      applyPolicy:\n        release: userservice\n        name: retry-storm\n        spec:\n"

func TestRun_ImpossibleExpectationFails(t *testing.T) {
	for name := range impossible {
		if !slices.ContainsFunc(scenarios.Builtin(), func(s scenarios.Scenario) bool { return s.Name == name }) {
			t.Errorf("there is no built-in scenario %s to edit", name)
		}
	}
	for _, scenario := range scenarios.Builtin() {
		edit, ok := impossible[scenario.Name]
		if !ok {
			const expect = "\n  expect:\n"
			edit = [2]string{expect, expect + "    - latency: {of: " + scenario.Load[0].Name + ", quantile: 0.5, atMost: 1us}\n"}
		}
		feature(t, "impossible limit of "+scenario.Name, func(ctx context.Context, t *testing.T) {
			source, code, err := shared.run(ctx, "scenarios", "show", scenario.Name)
			if err != nil || code != 0 {
				t.Fatalf("show ended with %d, %v", code, err)
			}
			file := filepath.Join(t.TempDir(), "impossible.yaml")
			edited := strings.Replace(source, edit[0], edit[1], 1)
			if edited == source {
				t.Fatalf("the scenario has no %q to make impossible", edit[0])
			}
			if err := os.WriteFile(file, []byte(edited), 0o600); err != nil {
				t.Fatal(err)
			}
			report, code := runScenario(ctx, t, file)
			for again := 0; !report.steady() && again < 2; again++ {
				// The machine was too slow, so the scenario broke nothing.
				t.Log(report.Summary)
				report, code = runScenario(ctx, t, file)
			}
			if code != 1 || report.Result != "fail" || !report.steady() {
				t.Fatalf("run ended with %d, %s; want 1, fail, after a steady state: %s", code, report.Result, report.Summary)
			}
		})
	}
}

func TestRun_NoRecovery(t *testing.T) {
	feature(t, "false recovery", func(ctx context.Context, t *testing.T) {
		file, err := filepath.Abs(filepath.Join("..", "..", "scenarios", "testdata", "cases", "false-recovery.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		r, code := runScenario(ctx, t, file)
		if code != 1 || r.Result != "fail" || r.Recovery.RecoverSeconds != nil {
			t.Errorf("ended with %d, %s, recovered after %v; want 1, fail, never", code, r.Result, r.Recovery.RecoverSeconds)
		}
		if r.Recovery.FirstFailedSeconds == nil || *r.Recovery.LongestOutageSeconds < 15 || !strings.HasPrefix(r.Summary, "FAIL: ") {
			t.Errorf("%s: %+v", r.Summary, r.Recovery)
		}
		if len(r.Load) != 1 || r.Load[0].Refused["BREAKER_OPEN"] == 0 {
			t.Errorf("the breaker refused no call: %+v", r.Load)
		}
		if len(r.Cleanup.Residue) != 0 {
			t.Errorf("left behind: %v", r.Cleanup.Residue)
		}
	})
}

type report struct {
	Result       string
	Summary      string
	Recovery     struct{ RecoverSeconds, FirstFailedSeconds, LongestOutageSeconds *float64 }
	Load         []struct{ Refused map[string]int }
	Expectations []struct{ Name, Phase, Result string }
	Cleanup      struct{ Residue []any }
}

// steady reports whether the steady state was met.
func (r report) steady() bool {
	for _, e := range r.Expectations {
		if e.Phase == "steady" && e.Result != "pass" {
			return false
		}
	}
	return true
}

func runScenario(ctx context.Context, t *testing.T, scenario string) (report, int) {
	t.Helper()
	out, code, err := shared.run(ctx, "run", scenario, "-o", "json")
	var r report
	if err == nil {
		err = json.Unmarshal([]byte(out), &r)
	}
	if err != nil {
		t.Fatalf("run ended with %d, %v: %s", code, err, out)
	}
	return r, code
}
