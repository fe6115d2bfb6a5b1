package governance

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const shadowStates, shadowTransitions = "sandbox_shadow_breaker_state", "sandbox_shadow_breaker_transitions_total"

// TestBreakers_ShadowIsVisible follows a breaker in shadow mode through its states, as an operator sees them.
func TestBreakers_ShadowIsVisible(t *testing.T) {
	for _, c := range []struct{ sentence, rule, method string }{
		{"of every call", "{shadow: true, breaker: {minCalls: 3, open: 1s, probes: 2}}", "s.S/M"},
		{"of a share", "{shadow: true, percent: 10, breaker: {minCalls: 3, open: 1s, probes: 2}}", "s.S/M (10%)"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newThrottleRig(t, "client: [{breaker: {disabled: true}}, "+c.rule+"]", func(n int) error {
					if n <= 3 {
						return errDown
					}
					return nil
				})
				r.client.cfg.random = in
				calls := func(n int, state float64) {
					t.Helper()
					for range n {
						_ = r.call()
					}
					if got := allSeries(t, r.metrics, shadowStates, "callee", "callee", "method", c.method); len(got) != 1 || got[0].GetGauge().GetValue() != state {
						t.Errorf("the series are %v, want one of %v", got, state)
					}
				}
				calls(2, 0)
				calls(1, 1)
				time.Sleep(1001 * time.Millisecond)
				calls(1, 2)
				calls(1, 0)
				r.shadowTransitions(c.method, "closed open failure_ratio", "open half-open open_time_over", "half-open closed probes_succeeded")
				if got := metric(t, r.metrics, "sandbox_breaker_state"); got != 0 || metric(t, r.metrics, "sandbox_breaker_transitions_total") != 0 || len(r.breakers.Snapshot()) != 1 {
					t.Errorf("enforced breakers: state %v, %+v", got, r.breakers.Snapshot())
				}
			})
		})
	}
}

// shadowTransitions checks metrics, events and log for the transitions of a breaker in shadow mode, each of which is "FROM TO REASON".
func (r *rig) shadowTransitions(method string, want ...string) {
	r.t.Helper()
	kept, _, _ := r.events.After(0)
	var events []string
	for _, e := range kept {
		if e.Labels["to"] == "" {
			continue
		}
		events = append(events, e.Labels["from"]+" "+e.Labels["to"])
		if e.Kind != KindShadow || e.Subject != "callee/"+method || e.Labels["caller"] != "caller" || !strings.HasPrefix(e.Detail, "the breaker would be "+e.Labels["to"]+": ") {
			r.t.Errorf("event %+v", e)
		}
	}
	for i, w := range want {
		f := strings.Fields(w)
		if got := metric(r.t, r.metrics, shadowTransitions, "method", method, "from", f[0], "to", f[1], "reason", f[2]); got != 1 {
			r.t.Errorf("%v transitions %s are counted, want 1", got, w)
		}
		if i >= len(events) || events[i] != f[0]+" "+f[1] {
			r.t.Errorf("events %q, want %q", events, want)
		}
	}
	if got := metric(r.t, r.metrics, shadowTransitions); got != float64(len(want)) || strings.Count(r.log.String(), "breaker in shadow mode") != len(want) {
		r.t.Errorf("%v transitions are counted, want %d; log:\n%s", got, len(want), r.log.String())
	}
}

// TestBreakers_ShadowEndsWithItsRule checks that an open breaker does not stay open in the metrics once no rule has it.
func TestBreakers_ShadowEndsWithItsRule(t *testing.T) {
	const off = "client: [{breaker: {disabled: true}}"
	rules := map[string]string{"every call": ", {shadow: true, breaker: {minCalls: 3}}", "a share": ", {shadow: true, percent: 10, breaker: {minCalls: 3}}"}
	for _, sentence := range slices.Sorted(maps.Keys(rules)) {
		t.Run(sentence, func(t *testing.T) {
			r := newThrottleRig(t, off+rules[sentence]+"]", always(errDown))
			r.client.cfg.random = in
			for _, next := range []struct {
				text  string
				state float64
			}{{off + rules[sentence] + "]", 1}, {off + "]", 0}, {off + rules[sentence] + "]", 1}} {
				change(t, r.client.cfg.Policy, next.text)
				for range 4 {
					_ = r.call()
				}
				if got := metric(t, r.metrics, shadowStates); got != next.state {
					t.Errorf("with %q, the state is %v, want %v", next.text, got, next.state)
				}
			}
			if got := metric(t, r.metrics, shadowTransitions, "reason", "disabled"); got != 1 {
				t.Errorf("%v transitions because the rule ended, want 1", got)
			}
		})
	}
}
