package loadgen

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/knownfailures"
)

// TestKnownFailures runs the listed tests of this package and fails when one passes.
func TestKnownFailures(t *testing.T) { knownfailures.Check(t, "loadgen") }
