package compile

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Side is where a field is enforced.
type Side string

// The sides of a call.
const (
	// Server is where calls are received.
	Server Side = "server"
	// Client is where calls are made.
	Client Side = "client"
)

// sides says where each field of a policy is enforced. A field that is missing here fails a test.
var sides = map[protoreflect.Name][]Side{
	"max_requests_per_second": {Server}, "shed": {Server}, "load_balancing": {Client}, "outlier_ejection": {Client}, "retry_budget": {Client},
	"health_check": {Client}, "slow_start": {Client}, "server_identity": {Client}, "tuning": {Server, Client},

	"rate": {Server}, "bulkhead": {Server}, "server_deadline": {Server}, "priority": {Server}, "shed_group": {Server}, "callers": {Server},
	"caller_priority": {Server},
	"deadline":        {Client}, "breaker": {Client}, "retry": {Client}, "hedge": {Client}, "fallback": {Client},
	"classify": {Client}, "throttle": {Client},
}

func isOn(side Side, name protoreflect.Name) bool {
	for _, s := range sides[name] {
		if s == side {
			return true
		}
	}
	return false
}

// partsOf returns the fields of a message that are set and enforced on a side, in the order of their numbers.
func partsOf(m proto.Message, side Side) (set []protoreflect.FieldDescriptor) {
	r := m.ProtoReflect()
	fields := r.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); r.Has(f) && isOn(side, f.Name()) {
			set = append(set, f)
		}
	}
	return set
}

func index(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

func serverRule(of rule, pods int) *policyv1.ServerRule {
	m := of.method
	r := &policyv1.ServerRule{Shadow: of.policy.Spec.GetShadow(), Percent: of.policy.Spec.Percent, Method: m.GetMethod(), Deadline: m.GetServerDeadline(), Bulkhead: m.GetBulkhead(), Priority: m.GetPriority(),
		Callers: m.GetCallers(), ShedGroup: m.GetShedGroup(), CallerPriority: m.GetCallerPriority()}
	if m.GetRate() != nil {
		r.Rate = &policyv1.RateLimits{}
		for _, l := range m.GetRate().GetLimits() {
			limit := l.GetLimit()
			if l.GetScope() != policyv1.RateScope_RATE_SCOPE_POD {
				limit = divided(limit, pods)
			}
			r.Rate.Limits = append(r.Rate.Limits, limit)
		}
	}
	return r
}

func clientRule(of rule, callee string) *policyv1.ClientRule {
	m := of.method
	return &policyv1.ClientRule{Shadow: of.policy.Spec.GetShadow(), Percent: of.policy.Spec.Percent, Callee: callee, Method: m.GetMethod(), Deadline: m.GetDeadline(), Breaker: m.GetBreaker(), Retry: m.GetRetry(),
		Fallback: m.GetFallback(), Hedge: m.GetHedge(), Classify: m.GetClassify(), Throttle: m.GetThrottle()}
}

// divided returns the share of one of several pods in a limit.
func divided(whole *policyv1.RateLimit, pods int) *policyv1.RateLimit {
	share := proto.CloneOf(whole)
	switch a := share.GetAlgorithm().(type) {
	case *policyv1.RateLimit_TokenBucket:
		a.TokenBucket.Rate /= float64(pods)
		if a.TokenBucket.Burst != nil {
			a.TokenBucket.Burst = proto.Uint32(max(1, a.TokenBucket.GetBurst()/uint32(pods)))
		}
	case *policyv1.RateLimit_LeakyBucket:
		a.LeakyBucket.Rate /= float64(pods)
		a.LeakyBucket.Queue /= uint32(pods)
	}
	return share
}

// The share of a pod in the limit of a workload admits the calls of burstTime at once, and at least minBurst. More would exceed the limit noticeably in
// a window of a few seconds. With a burst of 1, a token that no call takes at once is lost, because arrivals are never even: of a limit of 50/s,
// 44 were admitted under four times as many calls.
const (
	burstTime = 0.1
	minBurst  = 3
)

// workloadRate returns the share of one of several pods in the limit of a workload.
func workloadRate(perSecond float64, pods int) *policyv1.RateLimits {
	share := perSecond / float64(pods)
	bucket := &policyv1.TokenBucket{Rate: share, Burst: proto.Uint32(uint32(math.Ceil(max(minBurst, share*burstTime))))}
	return &policyv1.RateLimits{Limits: []*policyv1.RateLimit{{Algorithm: &policyv1.RateLimit_TokenBucket{TokenBucket: bucket}}}}
}
