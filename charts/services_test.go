package charts

import (
	"slices"
	"testing"
)

// TestFirstCall_IsMadeByTheGeneratorToo: `up` makes the call from this machine and from the load generator.
func TestFirstCall_IsMadeByTheGeneratorToo(t *testing.T) {
	s := FirstCall()
	if s.Read.Name == "" || s.Read.Request == "" || !slices.Contains(LoadTargets(), s.Name) {
		t.Errorf("got %+v", s)
	}
}
