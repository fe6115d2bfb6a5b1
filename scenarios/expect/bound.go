package expect

import (
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// bound is the lowest number that meets an expectation, or the highest one.
type bound struct {
	Number float64
	Upper  bool
}

// readBound reads one of the fields atLeast and atMost.
func readBound(o grammar.Object, example string, read func(name string) float64) bound {
	lower, upper := o.Has("atLeast"), o.Has("atMost")
	switch {
	case lower && upper:
		o.Problem(remedy.Advice("write two expectations"), "want one of atLeast and atMost, got both")
	case upper:
		return bound{read("atMost"), true}
	case !lower:
		o.Problem(remedy.Value("atLeast: "+example), "want one of atLeast and atMost, got none")
	}
	return bound{Number: read("atLeast")}
}

// limit returns the comparison and the limit of a finding.
func (b bound) limit() (comparison string, limit report.Value) {
	if b.Upper {
		return "<=", report.Value{Number: b.Number}
	}
	return ">=", report.Value{Number: b.Number}
}

func (b bound) meets(observed float64) bool {
	if b.Upper {
		return observed <= b.Number
	}
	return observed >= b.Number
}

// round rounds an observed number for people, so that one that does not meet the bound is not shown as one that does.
func (b bound) round(observed float64) float64 {
	if b.Upper {
		return text.RoundUp(observed)
	}
	return text.RoundDown(observed)
}
