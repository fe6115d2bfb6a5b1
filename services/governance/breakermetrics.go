package governance

import (
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
)

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

func (m *Metrics) newBreaker(s BreakerState) {
	m.breakerState.WithLabelValues(s.Callee, s.Method).Set(stateNumber(s.State))
	m.breakerSince.WithLabelValues(s.Callee, s.Method).Set(unixSeconds(s.Since))
}

func (m *Metrics) breakerChanged(s BreakerState, t breaker.Transition) {
	m.breakerState.WithLabelValues(s.Callee, s.Method).Set(stateNumber(s.State))
	m.breakerSince.WithLabelValues(s.Callee, s.Method).Set(unixSeconds(s.Since))
	m.breakerTransitions.WithLabelValues(s.Callee, s.Method, t.From, t.To, t.Class).Inc()
}
