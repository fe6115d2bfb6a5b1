package xds

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// The reasons that several fields share.
const (
	// unserved is why a program of grpc-go enforces nothing where it receives calls.
	unserved     = "a grpc-go server does not receive it"
	sharedLimit  = "one limit for all methods and streams of the rule; calls above it are refused with UNAVAILABLE"
	noBreaker    = "grpc-go has no breaker that counts failures"
	anyStream    = "a route does not tell streams from unary calls"
	everyError   = "grpc-go counts every error"
	noThrottle   = "grpc-go does not throttle by failures"
	noSlowStart  = "grpc-go has no slow start"
	fromJoining  = "from when Envoy gets to know the replica, not again after an ejection"
	noHedging    = "grpc-go has no hedging"
	byProgram    = "only the program sets it"
	byGovernance = "a fallback is registered with governance"
	linear       = "each further ejection adds this time once more; it does not double"
	byControl    = "the control plane ends it; without a control plane it lasts"
	byReadiness  = "pods that are not ready get no calls"
	noOpen       = "admission control has no open state"
	noPriority   = "Envoy has no priorities of received calls"
	noSlow       = "admission control does not count slow calls"
	oneMetadata  = "of faults with different metadata, only one affects a call"
	noBudget     = "grpc-go has no retry budget for xDS targets"
	byPings      = "by pings of HTTP/2 only"
	untranslated = "it is not translated"
	noTurns      = "the fault filter cannot let calls wait for turns"
	noShadow     = "this kind of client has no shadow mode"
	byPods       = "by the identities of the pods of the service, whatever the policy says"
	noCut        = "the fault filter cannot cut a call"
	streamsToo   = "limits streams, too"
	tenths       = "tokens are added ten times per second, and bursts are as large"
	oneRate      = "one limit for all methods of the rule; tokens are added ten times per second"
)

// The columns of grpc were checked against the source of grpc-go v1.85.0, those of Envoy against its API only. See ../README.md.
//
// verdicts says what an xDS client does with each field, by the part of a policy and the field in it. A field that is missing here fails a test.
var verdicts = map[string]struct{ grpc, envoy finding }{
	// Where calls are received.
	"maxRequestsPerSecond":         {ignored(unserved), approximated(tenths)},
	"shed":                         {ignored(unserved), ignored("Envoy has no limit that priorities share")},
	"rate.limits":                  {ignored(unserved), depends("one limit for all methods of the rule; those of each caller are ignored, and calls do not wait", envoyRates)},
	"bulkhead.maxConcurrent":       {ignored(unserved), approximated(sharedLimit)},
	"serverDeadline.required":      {ignored(unserved), ignored("Envoy cannot refuse a call without a deadline")},
	"serverDeadline.timeout":       {ignored(unserved), approximated(streamsToo)},
	"serverDeadline.margin":        {ignored(unserved), ignored("Envoy passes the deadline on unchanged")},
	"serverDeadline.streamTimeout": {ignored(unserved), ignored(anyStream)},
	"serverDeadline.none":          {ignored(unserved), enforced},
	"serverDeadline.streamNone":    {ignored(unserved), enforced},
	"priority":                     {ignored(unserved), ignored(noPriority)},
	"shedGroup":                    {ignored(unserved), ignored("Envoy has no limit that methods share")},
	"callers.allow":                {ignored(unserved), enforced},
	"callerPriority":               {ignored(unserved), ignored(noPriority)},

	// Where calls are made.
	"deadline.timeout":         {approximated("limits streams, too, and calls with a longer deadline of their own"), approximated(streamsToo)},
	"deadline.streamTimeout":   {ignored(anyStream), ignored(anyStream)},
	"deadline.none":            {enforced, enforced},
	"deadline.streamNone":      {depends("enforced without timeout, which limits streams, too", streamsUnlimited), depends("enforced without timeout, which limits streams, too", streamsUnlimited)},
	"classify.failures":        {ignored(everyError), approximated("for admission control only")},
	"classify.successes":       {ignored(everyError), approximated("for admission control only")},
	"classify.ignored":         {ignored(everyError), approximated("for admission control only, as successes")},
	"throttle.disabled":        {enforced, enforced},
	"throttle.failureRatio":    {ignored(noThrottle), enforced},
	"throttle.minCalls":        {ignored(noThrottle), approximated("as calls per second, rounded up")},
	"throttle.window":          {ignored(noThrottle), approximated("in whole seconds")},
	"throttle.maxRefusedRatio": {ignored(noThrottle), enforced},
	"breaker.disabled":         {enforced, enforced},
	"breaker.failureRatio":     {ignored(noBreaker), approximated("by admission control, which refuses a growing share of the calls, with the numbers of throttle if there is one")},
	"breaker.minCalls":         {ignored(noBreaker), approximated("as calls per second, rounded up")},
	"breaker.window":           {ignored(noBreaker), approximated("in whole seconds")},
	"breaker.open":             {ignored(noBreaker), ignored(noOpen)},
	"breaker.probes":           {ignored(noBreaker), ignored(noOpen)},
	"breaker.maxOpen":          {ignored(noBreaker), ignored(noOpen)},
	"breaker.slowCallRatio":    {ignored(noBreaker), ignored(noSlow)},
	"breaker.slowCallDuration": {ignored(noBreaker), ignored(noSlow)},
	"breaker.maxConcurrent":    {approximated(sharedLimit), approximated(sharedLimit)},
	"breaker.maxStreams":       {ignored("a cluster does not tell streams from unary calls"), ignored("a cluster does not tell streams from unary calls")},
	"retry.idempotent":         {enforced, enforced},
	"retry.maxAttempts":        {enforced, enforced},
	"retry.codes":              {depends("without ABORTED", grpcCodes), enforced},
	"retry.initialBackoff":     {depends("enforced up to maxBackoff", backoffBelowMaximum), approximated("each wait is random, between 0 and the wait of the policy")},
	"retry.maxBackoff":         {enforced, enforced},
	"retry.multiplier":         {depends("enforced if it is 2, which all clients use", multiplierOfTwo), depends("enforced if it is 2, which all clients use", multiplierOfTwo)},
	"retry.perTryTimeout":      {ignored("grpc-go has no time limit of attempts"), enforced},
	"hedge.idempotent":         {ignored(noHedging), enforced},
	"hedge.delay":              {ignored(noHedging), approximated("attempts that fail are repeated, too")},
	"hedge.maxAttempts":        {depends("enforced if it is 1", hedgesRemoved), enforced},
	"fallback":                 {ignored(byGovernance), ignored(byGovernance)},
	"fallback.disabled":        {enforced, ignored(byGovernance)},

	// The connection of a caller.
	"loadBalancing.algorithm":             {enforced, enforced},
	"outlierEjection.disabled":            {enforced, enforced},
	"outlierEjection.consecutiveFailures": {ignored("grpc-go ejects by failure percentage only"), approximated("counts the errors that are 5xx in HTTP")},
	"outlierEjection.failureRatio":        {approximated("in whole percent, once per second; every error counts, such as NOT_FOUND"), approximated("in whole percent, once per second, of the errors that are 5xx in HTTP")},
	"outlierEjection.baseEjectionTime":    {approximated(linear), approximated(linear)},
	"outlierEjection.maxEjectionTime":     {enforced, enforced},
	"outlierEjection.maxEjectionPercent":  {approximated("the last ejection may exceed it"), approximated("one replica may always be ejected")},
	"outlierEjection.shadow":              {ignored(noShadow), ignored(noShadow)},
	"retryBudget.maxTokens":               {ignored(noBudget), approximated("half of it is the number of retries that may always be in flight")},
	"retryBudget.tokenRatio":              {ignored(noBudget), approximated("as the share of the calls in flight that may be retries")},
	"retryBudget.disabled":                {enforced, enforced},
	"slowStart.window":                    {depends("ignored, unless it is 0s: grpc-go has no slow start", slowStartOff), approximated(fromJoining)},
	"slowStart.minPercent":                {ignored(noSlowStart), approximated(fromJoining)},
	"healthCheck":                         {approximated("by the readiness of pods"), approximated("by the readiness of pods")},
	"healthCheck.disabled":                {ignored(byReadiness), ignored(byReadiness)},
	"serverIdentity.allow":                {approximated(byPods), approximated(byPods)},
	"tuning.maxMessageBytes":              {ignored(byProgram), ignored("Envoy does not limit messages")},
	"tuning.streamWindowBytes":            {ignored(byProgram), enforced},
	"tuning.connectionWindowBytes":        {ignored(byProgram), enforced},
	"tuning.gzip":                         {ignored(byProgram), ignored(untranslated)},
	"tuning.keepaliveTime":                {ignored(byProgram), approximated(byPings)},
	"tuning.keepaliveTimeout":             {ignored(byProgram), approximated(byPings)},
	"tuning.keepaliveNone":                {ignored(byProgram), enforced},
	"tuning.maxMetadataBytes":             {ignored(byProgram), ignored(untranslated)},

	// Faults. Those of received calls are ignored by grpc; see Judge.
	"fault.callee":       {enforced, enforced},
	"fault.method":       {enforced, enforced},
	"fault.percent":      {enforced, enforced},
	"fault.pods":         {enforced, enforced},
	"fault.metadata":     {approximated(oneMetadata), approximated(oneMetadata)},
	"fault.delay":        {depends("enforced without jitter; otherwise every delay is the mean", constantDelay), depends("enforced without jitter; otherwise every delay is the mean", constantDelay)},
	"fault.abort":        {depends("enforced without message, which the client chooses", messageOfFilter), depends("enforced without message, which the client chooses", messageOfFilter)},
	"fault.hang":         {enforced, enforced},
	"fault.throttle":     {ignored(noTurns), ignored(noTurns)},
	"fault.cut":          {ignored(noCut), ignored(noCut)},
	"fault.duration":     {approximated(byControl), approximated(byControl)},
	"fault.leaseSeconds": {approximated(byControl), approximated(byControl)},
	"fault.shadow":       {ignored(noShadow), ignored(noShadow)},
}

// The findings that depend on the value.

func streamsUnlimited(part proto.Message) finding {
	if d, _ := part.(*policyv1.ClientDeadline); d.GetTimeout() != nil {
		return ignored("timeout limits streams, too")
	}
	return enforced
}

func grpcCodes(part proto.Message) finding {
	if r, _ := part.(*policyv1.Retry); slices.Contains(r.GetCodes(), "ABORTED") {
		return approximated("grpc-go does not retry after ABORTED for xDS targets")
	}
	return enforced
}

func backoffBelowMaximum(part proto.Message) finding {
	r, _ := part.(*policyv1.Retry)
	if orDefault(r.GetInitialBackoff(), defaultInitialBackoff) > orDefault(r.GetMaxBackoff(), defaultMaxBackoff) {
		return approximated("maxBackoff applies from the first wait on")
	}
	return enforced
}

func multiplierOfTwo(part proto.Message) finding {
	if r, _ := part.(*policyv1.Retry); r.Multiplier != nil && r.GetMultiplier() != 2 {
		return approximated("each wait is twice the one before")
	}
	return enforced
}

func hedgesRemoved(part proto.Message) finding {
	if h, _ := part.(*policyv1.Hedge); h.GetMaxAttempts() == 1 {
		return enforced
	}
	return ignored(noHedging)
}

func slowStartOff(part proto.Message) finding {
	if s, _ := part.(*policyv1.SlowStart); s.GetWindow().AsDuration() == 0 {
		return enforced
	}
	return ignored(noSlowStart)
}

func constantDelay(part proto.Message) finding {
	if f, _ := part.(*policyv1.FaultSpec); f.GetDelay().GetJitter().AsDuration() > 0 {
		return approximated("every delay is the mean: the fixed part and half of the jitter")
	}
	return enforced
}

func messageOfFilter(part proto.Message) finding {
	if f, _ := part.(*policyv1.FaultSpec); f.GetAbort().GetMessage() != "" {
		return approximated("the client chooses the message of the error")
	}
	return enforced
}

func envoyRates(part proto.Message) finding {
	r, _ := part.(*policyv1.WorkloadRates)
	perCaller, leaky := 0, false
	for _, l := range r.GetLimits() {
		if l.GetLimit().GetPerCaller() {
			perCaller++
		}
		leaky = leaky || l.GetLimit().GetLeakyBucket() != nil
	}
	switch {
	case perCaller > 0 && perCaller == len(r.GetLimits()):
		return ignored("Envoy has no local limit of each caller")
	case perCaller > 0:
		return approximated("one limit for all methods of the rule, and none of each caller")
	case leaky:
		return approximated("one limit for all methods of the rule; calls above the rate are refused and do not wait")
	}
	return approximated(oneRate)
}
