package compile

import (
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const (
	// unaryOnly says what does not follow a retry with a percent.
	unaryOnly = "applies to unary calls only: streams follow retries without percent"
	// streamsOnly says what a retry does next to hedging.
	streamsOnly = "applies to streams only: unary calls are hedged"
)

// approximate adds a difference between what a process does and what the object says.
func (v *Value) approximate(why string) {
	if !strings.Contains(v.Approximated, why) {
		v.Approximated = strings.TrimPrefix(v.Approximated+"; "+why, "; ")
	}
}

// displaceAttempts notes that a unary call is either retried or hedged, as the last rule says. v is compared with a value that was added before.
func (v *Value) displaceAttempts(old *Value) {
	switch {
	case old.LostTo != nil || !v.replaces(*old):
	case hedges(v.Part) && retries(old.Part):
		old.approximate(streamsOnly)
	case retries(v.Part) && hedges(old.Part):
		old.LostTo = &v.Object
	}
}

func retries(part any) bool {
	r, ok := part.(*policyv1.Retry)
	return ok && r.GetMaxAttempts() != 1
}

func hedges(part any) bool {
	h, ok := part.(*policyv1.Hedge)
	return ok && h.GetMaxAttempts() != 1
}
