package observe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// breakerStates maps the values of sandbox_breaker_state to states.
var breakerStates = map[float64]telemetry.BreakerState{0: telemetry.Closed, 1: telemetry.Open, 2: telemetry.HalfOpen}

// badness orders the states, for a caller whose pods disagree.
var badness = map[telemetry.BreakerState]int{telemetry.Closed: 0, telemetry.HalfOpen: 1, telemetry.Open: 2}

type breakerKey struct{ caller, callee, method model.LabelValue }

// breakerGroup is one breaker in all pods of its caller.
type breakerGroup struct {
	worst telemetry.Breaker
	// alike counts the pods in the worst state.
	pods, alike int
}

// Breakers returns every breaker, merged over all pods of its caller: the worst state of any pod, with the number of pods in that state as the
// reason if they disagree. A state that lasted less than a scrape interval is not visible here; the event stream has those.
func (p *Prometheus) Breakers(ctx context.Context) ([]telemetry.Breaker, error) {
	states, err := p.vector(ctx, "querying Prometheus for breaker states", "sandbox_breaker_state")
	if err != nil {
		return nil, err
	}
	sinces, err := p.vector(ctx, "querying Prometheus for breaker times", "sandbox_breaker_since_seconds")
	if err != nil {
		return nil, err
	}
	since := make(map[model.Fingerprint]time.Time, len(sinces))
	for _, s := range sinces {
		since[sameSeries(s.Metric)] = unix(float64(s.Value))
	}
	groups := map[breakerKey]*breakerGroup{}
	for _, s := range states {
		k := breakerKey{s.Metric["service"], s.Metric["callee"], s.Metric["method"]}
		state, ok := breakerStates[float64(s.Value)]
		if !ok {
			return nil, remedy.Errorf(remedy.Advicef("%s, so that services and sandbox are of one version", remedy.Command("up")),
				"querying Prometheus for breaker states: %s reports the unknown state %v", k.caller, s.Value)
		}
		g := groups[k]
		if g == nil {
			g = &breakerGroup{}
			groups[k] = g
		}
		g.add(telemetry.Breaker{Caller: string(k.caller), Callee: string(k.callee), Method: string(k.method),
			State: state, Since: since[sameSeries(s.Metric)]})
	}
	list := make([]telemetry.Breaker, 0, len(groups))
	for _, g := range groups {
		list = append(list, g.breaker())
	}
	slices.SortFunc(list, func(a, b telemetry.Breaker) int {
		return cmp.Or(cmp.Compare(a.Caller, b.Caller), cmp.Compare(a.Callee, b.Callee), cmp.Compare(a.Method, b.Method))
	})
	return list, nil
}

// add adds the breaker of one pod. Among equal states the one entered last is kept, because it is the most recent news.
func (g *breakerGroup) add(b telemetry.Breaker) {
	g.pods++
	switch now, before := badness[b.State], badness[g.worst.State]; {
	case g.pods == 1 || now > before:
		g.worst, g.alike = b, 1
	case now == before:
		g.alike++
		if b.Since.After(g.worst.Since) {
			g.worst = b
		}
	}
}

func (g *breakerGroup) breaker() telemetry.Breaker {
	b := g.worst
	if g.alike < g.pods {
		b.Reason = fmt.Sprintf("in %d of %d pods", g.alike, g.pods)
	}
	return b
}

// sameSeries returns an equal fingerprint for two metrics of the same breaker in the same pod.
func sameSeries(m model.Metric) model.Fingerprint {
	m = m.Clone()
	delete(m, model.MetricNameLabel)
	return m.Fingerprint()
}

// unix converts seconds since 1970. It returns the zero time for a value that is not a valid time.
func unix(s float64) time.Time {
	if math.IsNaN(s) || math.IsInf(s, 0) || s <= 0 {
		return time.Time{}
	}
	whole, part := math.Modf(s)
	return time.Unix(int64(whole), int64(part*1e9))
}
