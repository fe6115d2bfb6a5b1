package nginx

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Limit bounds the calls of a method, or of all methods.
type Limit struct {
	// Method is empty for a limit of all methods together.
	Method string
	// PerPartner means that each partner has the limit for itself.
	PerPartner bool
	// Number distinguishes the limits of a method.
	Number int
	// PerMinute is the rate in requests per minute, because nginx has no fractions. It is 0 for a limit of Concurrent calls.
	PerMinute int
	// Burst is how many calls are admitted in addition at once, or wait for their turn if Queue is set.
	Burst int
	// Queue means a leaky bucket: calls above the rate wait.
	Queue bool
	// Concurrent is how many calls are served at a time; 0 for a limit of the rate.
	Concurrent int
}

// Zone is the name of the shared memory with the state of the limit. nginx keeps it over a reload only if the limit counts by the same key, which the
// name therefore contains.
func (l Limit) Zone() string {
	who, what := "all", "rate"
	if l.PerPartner {
		who = "partner"
	}
	if l.Concurrent > 0 {
		what = "calls"
	}
	return fmt.Sprintf("%s_%s_%d_%s", what, who, l.Number, strings.Map(func(r rune) rune {
		if r == '.' || r == '/' {
			return '_'
		}
		return r
	}, l.Method))
}

// LimitsOf returns the limits that a policy sets for methods, as far as nginx has them. Verdicts of the control plane say what it has not.
func LimitsOf(rules *policy.Rules, methods []Method) (all []Limit) {
	for i, limit := range rules.Rate(policy.Share{}) {
		all = append(all, limitOf("", i, limit))
	}
	for _, m := range methods {
		rule := rules.Server(m.Name)
		for i, limit := range rule.Limits {
			all = append(all, limitOf(m.Name, i, limit))
		}
		if rule.MaxConcurrent > 0 {
			all = append(all, Limit{Method: m.Name, Concurrent: int(rule.MaxConcurrent)})
		}
	}
	return all
}

func limitOf(method string, number int, l *policyv1.RateLimit) Limit {
	out := Limit{Method: method, Number: number, PerPartner: l.GetPerCaller()}
	if leaky := l.GetLeakyBucket(); leaky != nil {
		out.PerMinute, out.Burst, out.Queue = perMinute(leaky.GetRate()), int(leaky.GetQueue()), true
		return out
	}
	// nginx admits one call more than the burst. Without a burst in the policy, that one is all.
	bucket := l.GetTokenBucket()
	out.PerMinute, out.Burst = perMinute(bucket.GetRate()), int(max(1, bucket.GetBurst()))-1
	return out
}

// perMinute returns the nearest rate that nginx has.
func perMinute(rate float64) int { return max(1, int(math.Round(rate*60))) }

// retryAfter returns how many whole seconds the slowest limit needs for one more call.
func retryAfter(all []Limit) int {
	longest := time.Second
	for _, l := range all {
		if l.PerMinute > 0 {
			longest = max(longest, time.Minute/time.Duration(l.PerMinute))
		}
	}
	return int(math.Ceil(longest.Seconds()))
}
