package governance

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
)

// retryBudget stops retries and hedging while many attempts fail (gRFC A6): each failed attempt of a method with retries takes a token, each success
// of any method gives a share of one back, and at half of the tokens or below there are no more attempts.
type retryBudget struct {
	cfg   ClientConfig
	gauge prometheus.Gauge

	// full saves the lock for the usual case: a success of a callee that does not fail.
	full atomic.Bool

	mu                 sync.Mutex
	tokens, max, ratio float64
	// connections is 0 while the connection is closed or idle.
	connections int
}

func newRetryBudget(cfg ClientConfig) *retryBudget {
	b := &retryBudget{cfg: cfg, gauge: cfg.Metrics.budget.WithLabelValues(cfg.Callee)}
	b.reset()
	return b
}

// reset fills the budget. It is called when gRPC gets another service config, because that fills the budget of streams.
func (b *retryBudget) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(budgetOf(b.cfg.Policy.Rules().Connection(b.cfg.Callee)))
}

// follow fills the budget if the policy has changed it. The service config of gRPC has the budget only if streams are retried.
func (b *retryBudget) follow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if most, ratio := budgetOf(b.cfg.Policy.Rules().Connection(b.cfg.Callee)); most != b.max || ratio != b.ratio {
		b.fill(most, ratio)
	}
}

// fill sets the numbers of the budget. b.mu is held.
func (b *retryBudget) fill(most, ratio float64) {
	b.max, b.ratio, b.tokens = most, ratio, most
	b.full.Store(true)
	b.show()
}

// show sets the gauge, which shows the emptiest budget of the open connections to the callee. b.mu is held.
func (b *retryBudget) show() {
	b.cfg.Metrics.budgets.set(b.gauge, b, b.connections > 0, b.tokens)
}

// opened is called when the connection opens, and closed when it closes or becomes idle.
func (b *retryBudget) opened() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connections++
	b.show()
}

func (b *retryBudget) closed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.connections--; b.connections == 0 {
		b.cfg.Metrics.budgets.remove(b.gauge, b)
	}
}

// succeeded gives a share of a token back.
func (b *retryBudget) succeeded() {
	if b.full.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.max, b.tokens+b.ratio)
	b.full.Store(b.tokens >= b.max)
	b.show()
}

// failed takes a token, and reports whether there may be another attempt.
func (b *retryBudget) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = max(0, b.tokens-1)
	b.full.Store(b.tokens >= b.max)
	b.show()
	return b.tokens > b.max/2
}

// enough reports whether there may be another attempt.
func (b *retryBudget) enough() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens > b.max/2
}

// spend repeats the accounting of grpc-go for an attempt of a stream, which grpc-go itself repeats.
func (b *retryBudget) spend(c *clientCall, attempt int32, err error) {
	p := c.retry()
	switch {
	case err == nil:
		b.succeeded()
	case p == nil || !slices.Contains(retriableCodes(p), rpccode.Name(rpccode.Of(err))):
	case !b.failed() && attempt < int32(p.GetMaxAttempts()):
		c.method.withheld.Inc()
	}
}
