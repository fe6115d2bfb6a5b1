package governance

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/sony/gobreaker/v2"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/breaker"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/limit"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// shared runs op b.N times, spread over n goroutines.
func shared(b *testing.B, n int, op func()) {
	b.Helper()
	b.ReportAllocs()
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range n {
		all.Go(func() {
			for range (b.N + i) / n {
				op()
			}
		})
	}
	all.Wait()
}

// breakerOps returns, for each library, a function that admits one call and counts a success.
func breakerOps() []struct {
	name string
	op   func() func()
} {
	return []struct {
		name string
		op   func() func()
	}{
		{"this package", func() func() {
			m := NewBreakers("c", BreakerConfig{}, NewMetrics(), nil).of(edge{"callee", "a.B/C"})
			return func() {
				t, _ := m.allow(nil)
				m.Done(t, breaker.Outcome{Verdict: breaker.Success})
			}
		}},
		{"sony/gobreaker", func() func() {
			cb := gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{MaxRequests: 5, Interval: 10 * time.Second, BucketPeriod: time.Second,
				ReadyToTrip: func(n gobreaker.Counts) bool { return n.TotalFailures >= 20 }})
			return func() {
				done, _ := cb.Allow()
				done(nil)
			}
		}},
		{"failsafe-go", func() func() {
			cb := circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(0.25, 20, 10*time.Second).Build()
			return func() {
				cb.TryAcquirePermit()
				cb.RecordSuccess()
			}
		}},
	}
}

func BenchmarkBreaker(b *testing.B) {
	for _, n := range []int{1, 2, 8} {
		for _, c := range breakerOps() {
			b.Run(fmt.Sprintf("%d goroutines/%s", n, c.name), func(b *testing.B) { shared(b, n, c.op()) })
		}
	}
}

// limiterOp returns one decision of a method's limit, including the lookup in the policy.
func limiterOp(b testing.TB, text, caller string) func() {
	p := policyOf(b, text)
	var rates limit.Rates
	limits := rates.Follow(p.Rules().Server("a.B/C").Limits)
	return func() {
		if _, refused := rates.Take(limits, caller, time.Second); refused.For > 0 {
			b.Fatal("refused")
		}
	}
}

const (
	perMethodLimit = "server: [{rate: {limits: [{tokenBucket: {rate: 1e9, burst: 1000000000}}]}}]"
	perCallerLimit = "server: [{rate: {limits: [{perCaller: true, tokenBucket: {rate: 1e9, burst: 1000000000}}]}}]"
)

func benchLimiter(text string) func(*testing.B) {
	return func(b *testing.B) { shared(b, 1, limiterOp(b, text, orders)) }
}

func BenchmarkLimiter(b *testing.B) {
	b.Run("per method", benchLimiter(perMethodLimit))
	b.Run("per caller", benchLimiter(perCallerLimit))
}

// benchNoFaults measures what a call costs on one side without faults: finding the method's rule and checking its empty list of faults.
func benchNoFaults(side string) func(*testing.B) {
	return func(b *testing.B) { shared(b, 1, faultCost(b, "")[side]) }
}

// idleFault matches the method and the metadata of every call, and chance chooses one in a billion.
const idleFault = "{name: idle, method: a.B/C, metadata: {x-test: yes}, percent: 0.0000001, abort: {code: UNAVAILABLE}}"

// benchIdleFault measures what a call costs on one side with a fault that matches it and has no effect.
func benchIdleFault(side string) func(*testing.B) {
	return func(b *testing.B) { shared(b, 1, faultCost(b, side+"Faults: ["+idleFault+"]")[side]) }
}

// faultInShadow is in shadow mode, and matches every call.
const faultInShadow = "{name: idle, method: a.B/C, metadata: {x-test: yes}, shadow: true, abort: {code: UNAVAILABLE}}"

// benchShadowFault measures what a call costs on one side with a fault in shadow mode.
func benchShadowFault(side string) func(*testing.B) {
	return func(b *testing.B) { shared(b, 1, faultCost(b, side+"Faults: ["+faultInShadow+"]")[side]) }
}

func BenchmarkIdleFault(b *testing.B) {
	b.Run("server", benchIdleFault("server"))
	b.Run("client", benchIdleFault("client"))
	b.Run("server, in shadow mode", benchShadowFault("server"))
	b.Run("client, in shadow mode", benchShadowFault("client"))
}

func BenchmarkNoFaults(b *testing.B) {
	b.Run("server", benchNoFaults("server"))
	b.Run("client", benchNoFaults("client"))
}

func benchShed(b *testing.B) {
	p := policyOf(b, "shed: {}")
	s := limit.Shedder{OnLimit: func(float64) {}}
	now := s.Follow(func() *policyv1.Shed { return p.Rules().Shed(policy.Share{}) })
	shared(b, 1, func() {
		if permit, ok := now.Admit(2); ok {
			permit.Done(false)
		}
	})
}

func BenchmarkShed(b *testing.B) { benchShed(b) }

func BenchmarkRefusal(b *testing.B) {
	shared(b, 1, func() {
		_ = refusal.New(codes.Unavailable, refusal.ReasonBreakerOpen, "open", refusal.After(time.Second))
	})
}
