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
var Table = []Failure{}

// Uncompiled is a reproduction in services/governance/testdata/knownfailures that no test runs.
type Uncompiled struct{ File, Why string }

// Documents lists the reproductions that are kept as text.
var Documents = []Uncompiled{
	{"outlierdetection_test.go.txt", "it needs google.golang.org/grpc/xds, which would add Envoy's protos and CEL to every program; it shows the outlier detection that TestBreaker_OneBadReplicaOfThree lacks"},
	{"client/main.go", "not a defect: it shows how much code a client outside of this repository needs (go vet it by its path)"},
	{"server/main.go", "the same for a server"},
}
