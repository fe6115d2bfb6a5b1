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
	{Package: "governance", Test: "TestDial_TargetWithoutHost", Defect: "with an empty server name no name in the certificate is verified"},
	{Package: "governance", Test: "TestCaller_UnusualCertificates", Defect: "two SPIFFE URIs, a CA certificate or a DNS name spelt like a URI are accepted as an identity"},
	{Package: "governance", Test: "TestTracing_ForwardedMetadata", Defect: "forwarded metadata carries two traceparents, and the first, the wrong one, is read"},
	{Package: "governance", Test: "TestTracing_Baggage", Defect: "W3C baggage is not propagated"},
	{Package: "governance", Test: "TestResolver_ChangedAttributes", Defect: "an update that changes only attributes is dropped"},
	{Package: "governance", Test: "TestResolver_AnswersInline", Defect: "a resolver that answers inside ResolveNow deadlocks"},
	{Package: "governance", Test: "TestResolver_OwnServiceConfig", Defect: "the service config of a resolver is dropped"},
	{Package: "governance", Test: "TestFault_ZeroPercent", Defect: "a fault of 0 % fails every call"},
	{Package: "governance", Test: "TestPolicy_BreakerWithoutBreakers", Defect: "the breaker of a policy has no effect on a connection dialed without Breakers"},
	{Package: "governance", Test: "TestDial_RacesWithOtherConnections", Race: true, Defect: "Dial writes a process-wide variable of grpc-go without a lock"},
	{Package: "governance", Test: "TestPolicy_PushedIntoProcess", Defect: "metrics and events do not report a policy set by Policy.Set"},
	{Package: "governance", Test: "TestBreaker_TwoPolicies", Defect: "the policy of one connection closes the breaker of another"},
	{Package: "loadgen", Test: "TestSeries_StoppedLoads", Defect: "the series of stopped loads are never removed"},
}

// Uncompiled is a reproduction in services/governance/testdata/knownfailures that no test runs.
type Uncompiled struct{ File, Why string }

// Documents lists the reproductions that are kept as text.
var Documents = []Uncompiled{
	{"outlierdetection_test.go.txt", "it needs google.golang.org/grpc/xds, which would add Envoy's protos and CEL to every program; it shows the outlier detection that TestBreaker_OneBadReplicaOfThree lacks"},
	{"client/main.go", "not a defect: it shows how much code a client outside of this repository needs (go vet it by its path)"},
	{"server/main.go", "the same for a server"},
}
