package knownfailures

// Failure is a test that is known to fail.
type Failure struct {
	// Package is the last element of its import path.
	Package string
	// Test is the name of the test function.
	Test string
	// Defect describes what is wrong, in one line.
	Defect string
	// Race means that the defect shows under the race detector only.
	Race bool
	// Slow means that the test takes too long for every run; -knownfailures.slow checks it.
	Slow bool
}

// Table lists the known failures. Rows are removed, never added.
var Table = []Failure{
	{Package: "governance", Test: "TestRetry_PodName", Defect: "a server with a pod name sends a header with each error, and grpc-go does not retry such answers"},
	{Package: "governance", Test: "TestRetry_ThroughRun", Defect: "programs started by Run have a pod name, so none of them is retried"},
	{Package: "governance", Test: "TestPushback_PodName", Defect: "the pushback of a rate limit is ignored by callers of a server with a pod name"},
	{Package: "governance", Test: "TestDrainLimit_HandlerIgnoresContext", Defect: "DRAIN_LIMIT does not bound a handler that ignores its context"},
	{Package: "governance", Test: "TestBreaker_StreamsEndedByConnectionAge", Defect: "streams ended by the server's connection age count as failures of the callee"},
	{Package: "governance", Test: "TestBreaker_ClosesOnAnsweredStreams", Defect: "probes of long streams count when they end, so the breaker does not close"},
	{Package: "governance", Test: "TestBreaker_StreamsAboveMaxConcurrent", Defect: "live streams fill MaxConcurrent, and each refusal counts as a failure"},
	{Package: "governance", Test: "TestBreaker_CalleeAnswersCancelled", Defect: "CANCELLED as the callee's answer is taken for a caller that gave up"},
	{Package: "governance", Test: "TestBreaker_CallsNeverSent", Defect: "calls that never left the client count as failures of the callee"},
	{Package: "governance", Test: "TestLeakyBucket_CallersWithShortDeadlines", Defect: "a turn after the caller's deadline is kept, and nothing uses it"},
	{Package: "governance", Test: "TestLeakyBucket_CancelledWaiters", Defect: "a cancelled waiter does not give its turn back"},
	{Package: "governance", Test: "TestPushback_BeyondDeadline", Defect: "a pushback beyond the deadline costs the caller its time and the reason"},
	{Package: "governance", Test: "TestClientDeadline_InsideHandler", Defect: "the client deadline of a policy has no effect where the context has a deadline already"},
	{Package: "governance", Test: "TestRefusal_LargerThanTrailer", Defect: "a refusal larger than the trailer becomes INTERNAL and opens the breaker"},
	{Package: "governance", Test: "TestStatus_LongMessage", Defect: "the code of a status with a long message is lost"},
	{Package: "governance", Test: "TestBreaker_OneBadReplicaOfThree", Slow: true, Defect: "one bad replica of three opens the breaker for all three (30 s)"},
	{Package: "governance", Test: "TestCallers_EnvoyServices", Defect: "all envoy.service methods are exempt from the list of callers, not only xDS"},
	{Package: "governance", Test: "TestRetryBudget_GaugeAgreesWithGRPC", Defect: "the gauge of the retry budget misses successes of methods without retries"},
	{Package: "governance", Test: "TestLog_RefusedCallers", Defect: "each refused call is a line of the log"},
	{Package: "governance", Test: "TestShed_BurstOnIdleServer", Defect: "an idle server sheds most of a small burst"},
	{Package: "governance", Test: "TestShed_FastAndSlowMethods", Slow: true, Defect: "slow methods lower the limit until fast ones are shed, with no overload (a minute of processor time under the race detector)"},
	{Package: "governance", Test: "TestMemory_UnknownMethods", Defect: "each invented method of a proxy gets series, a rule and a bucket"},
	{Package: "limit", Test: "TestRateLimit_CallerBeyondMemory", Defect: "each call of the 4097th caller scans all remembered ones under the lock"},
	{Package: "governance", Test: "TestBalancer_NotServingReplica", Defect: "a replica that reports NOT_SERVING gets calls"},
	{Package: "governance", Test: "TestBreaker_RetriedSuccess", Defect: "a success after a retry counts as a failure when the back-off exceeds the time-out"},
	{Package: "governance", Test: "TestOnFinish_SharedCallOptions", Race: true, Defect: "two streams write their OnFinish into one shared slice"},
}

// Uncompiled is a reproduction in services/governance/testdata/knownfailures that no test runs.
type Uncompiled struct{ File, Why string }

// Documents lists the reproductions that are kept as text.
var Documents = []Uncompiled{
	{"outlierdetection_test.go.txt", "it needs google.golang.org/grpc/xds, which would add Envoy's protos and CEL to every program; it shows the outlier detection that TestBreaker_OneBadReplicaOfThree lacks"},
	{"client/main.go", "not a defect: it shows how much code a client outside of this repository needs (go vet it by its path)"},
	{"server/main.go", "the same for a server"},
}
