package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// breaking lets every call of the load generator fail until its breaker opens.
type breaking struct {
	method   Method
	minCalls uint32
	disabled bool
	window   time.Duration
	rate     float64
}

const (
	// defaultMinCalls is the number of calls below which a breaker without a policy never opens.
	defaultMinCalls = 20
	// mostCalls is the highest minimum that is probed.
	mostCalls = 500
	// longestWindow is the longest window that is probed.
	longestWindow = 30 * time.Second
	// look is how often the load is read.
	look = 100 * time.Millisecond
)

func (p *planner) breaker(i int, at string, m *policyv1.MethodPolicy) {
	b := m.GetBreaker()
	if b == nil {
		return
	}
	method, ok := p.loaded(i, at+"breaker", func(m *policyv1.MethodPolicy) bool { return m.GetBreaker() != nil })
	if !ok {
		return
	}
	probe := breaking{method: method, minCalls: defaultMinCalls, disabled: b.GetDisabled()}
	if b.MinCalls != nil {
		probe.minCalls = b.GetMinCalls()
	}
	// Half of the window is enough for them.
	probe.window = 10 * time.Second
	if b.GetWindow() != nil {
		probe.window = b.GetWindow().AsDuration()
	}
	probe.rate = max(20, 2*float64(probe.minCalls)/probe.window.Seconds())
	if probe.minCalls > mostCalls || probe.rate > mostOffered || probe.window > longestWindow {
		p.skipped[at+"breaker"] = fmt.Sprintf("the probe makes at most %d calls, at most %d a second, in a window of at most %s", mostCalls, mostOffered, longestWindow)
		return
	}
	p.checks = append(p.checks, check{fields: []string{at + "breaker.disabled", at + "breaker.minCalls", at + "breaker.failureRatio"}, takes: probe.window + probe.limit(), opens: method, run: probe.probe,
		doing: "letting the calls of the load generator to " + method.Name + " fail"})
}

// limit is how long the breaker may take to open.
func (b breaking) limit() time.Duration {
	return time.Duration(float64(b.minCalls)/b.rate*2*float64(time.Second)) + b.window
}

func (b breaking) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	if err := r.healthy(ctx, b.method, b.rate); err != nil {
		return "", "", err
	}
	// The calls of earlier probes leave the window of the breaker.
	if err := pause.For(ctx, b.window); err != nil {
		return "", "", err
	}
	f := r.atLoadgen(b.method)
	f.Kind = &policyv1.FaultSpec_Abort{Abort: &policyv1.Abort{Code: "UNAVAILABLE"}}
	var seen *loadgenv1.LoadStats
	err = r.fault(ctx, f, func() error {
		_, err := r.load(ctx, b.method, b.rate, func(ctx context.Context, load string) error {
			end := time.Now().Add(b.limit())
			for {
				all, err := r.Loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{})
				if err != nil {
					return fmt.Errorf("reading the load: %w", err)
				}
				if seen = one(all.GetLoads(), load); open(seen) > 0 || time.Now().After(end) {
					return nil
				}
				if err := pause.For(ctx, look); err != nil {
					return err
				}
			}
		})
		return err
	})
	if err != nil {
		return "", "", err
	}
	verdict, observed = b.judge(seen.GetErrors()["UNAVAILABLE"]-unsent(seen), open(seen))
	return verdict, observed, nil
}

func (b breaking) judge(failed, refused int64) (verdict, observed string) {
	switch {
	case b.disabled && refused == 0 && failed > defaultMinCalls:
		return Enforced, fmt.Sprintf("the breaker stayed closed while %d calls failed", failed)
	case refused == 0:
		verdict, observed = NotEnforced, fmt.Sprintf("the breaker stayed closed while %d calls failed", failed)
	case b.disabled:
		return NotEnforced, fmt.Sprintf("the breaker opened after %d failed calls", failed)
	default:
		verdict, observed = Enforced, fmt.Sprintf("the breaker opened after %d failed calls and refused %d", failed, refused)
	}
	// Other loads on the method may have failed, too, so that it opens a little earlier for this one.
	if refused > 0 && failed*2 < int64(b.minCalls) {
		verdict = NotEnforced
	}
	return verdict, observed
}
