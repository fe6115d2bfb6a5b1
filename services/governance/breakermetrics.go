package governance

import "time"

func stateNumber(state string) float64 {
	switch state {
	case StateOpen:
		return 1
	case StateHalfOpen:
		return 2
	default:
		return 0
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func (m *Metrics) showBreaker(e edge, s BreakerState) {
	m.breakerState.WithLabelValues(e.callee, e.method).Set(stateNumber(s.State))
	m.breakerSince.WithLabelValues(e.callee, e.method).Set(unixSeconds(s.Since))
}

func (m *Metrics) showShadowBreaker(e edge, s BreakerState) {
	m.shadowBreakerState.WithLabelValues(e.callee, e.method).Set(stateNumber(s.State))
}

// breakerSource identifies a breaker among those with the same series.
type breakerSource struct {
	breakers *Breakers
	group    string
}

// opened is called when a connection opens, and closed when it closes or becomes idle. The metrics show breakers of one connection only while it is open.
func (b *Breakers) opened() {
	if b == nil || !b.ofConnection || b.metrics == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connections++
	for key, s := range b.states {
		b.show(b.metrics.breakers, key, s)
	}
	for key, s := range b.shadowStates {
		b.show(b.metrics.shadowBreakers, key, s)
	}
}

func (b *Breakers) closed() {
	if b == nil || !b.ofConnection || b.metrics == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.connections--; b.connections > 0 {
		return
	}
	for key := range b.states {
		b.metrics.breakers.remove(key.edge, breakerSource{b, key.group})
	}
	for key := range b.shadowStates {
		b.metrics.shadowBreakers.remove(key.edge, breakerSource{b, key.group})
	}
}

// show sets the state of a breaker in a gauge. b.mu is held.
func (b *Breakers) show(g *worstGauge[edge, BreakerState], key breakerKey, s BreakerState) {
	g.set(key.edge, breakerSource{b, key.group}, !b.ofConnection || b.connections > 0, s)
}
