package xds

import (
	"math"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const (
	restOnly    = "for REST only, whose calls the agent makes; nginx passes those of gRPC on"
	wholeMinute = "nginx counts whole requests per minute, at least one"
)

// nginxReceives says what a gateway does with a part of a policy for received calls. What is missing is ignored.
var nginxReceives = map[string]finding{
	// A number is no message: nginxFinding looks at it.
	"maxRequestsPerSecond":   enforced,
	"rate.limits":            depends("enforced; a rate that is no whole number of requests per minute is rounded", nginxRates),
	"bulkhead.maxConcurrent": enforced,
}

// nginxFinding returns what a gateway does with a field.
func nginxFinding(v compile.Value, name string) finding {
	switch {
	case v.Object.Kind == compile.KindFault && v.Side == compile.Server:
		return ignored("nginx injects no faults")
	case v.Side == compile.Client:
		return approximated(restOnly)
	case v.Shadow:
		return ignored("nginx has no shadow mode")
	case v.Partial():
		return ignored("nginx enforces a rule for every call or for none")
	}
	key := partOf(v)
	if rate, err := strconv.ParseFloat(v.Text, 64); key == "maxRequestsPerSecond" && err == nil && !perMinute(rate) {
		return approximated(wholeMinute)
	}
	f, ok := nginxReceives[key+"."+name]
	if !ok {
		f, ok = nginxReceives[key]
	}
	if !ok {
		return ignored("nginx does not have it")
	}
	if f.depends != nil {
		return f.depends(v.Part)
	}
	return f
}

func nginxRates(part proto.Message) finding {
	all, _ := part.(*policyv1.WorkloadRates)
	for _, l := range all.GetLimits() {
		if rate := l.GetLimit().GetTokenBucket().GetRate() + l.GetLimit().GetLeakyBucket().GetRate(); !perMinute(rate) {
			return approximated(wholeMinute)
		}
	}
	return enforced
}

func perMinute(rate float64) bool {
	return math.Abs(rate*60-math.Round(rate*60)) < 1e-9 && rate*60 >= 1
}
