package traffic

import (
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// defaultValue is the default of a field of a policy. The comments of policy.proto are the source, which a test compares.
type defaultValue struct {
	part string
	// field is below part; empty for what the part as a whole means when it is missing.
	field, text string
	// unless is the field of the part that switches it off.
	unless string
	// ifSet means that there is a default only if the part is set.
	ifSet bool
}

// none is what a missing part means that limits or repeats nothing.
const none = "none"

// defaults are in the order in which values are listed.
var defaults = []defaultValue{
	{part: "maxRequestsPerSecond", text: none},
	{part: "rate", text: none},
	{part: "bulkhead", text: none},
	{part: "shed", text: none},
	{part: "shed", field: "minLimit", text: "1", unless: "disabled", ifSet: true},
	{part: "shed", field: "maxLimit", text: "200", unless: "disabled", ifSet: true},
	{part: "shed", field: "initialLimit", text: "50", unless: "disabled", ifSet: true},
	{part: "shedGroup", text: none},
	{part: "priority", text: "normal"},
	{part: "callerPriority", text: none},
	{part: "serverDeadline", field: "timeout", text: "10s", unless: "none"},
	{part: "serverDeadline", field: "streamTimeout", text: "1h", unless: "streamNone"},
	{part: "serverDeadline", field: "margin", text: "10ms"},
	{part: "callers", text: "everyone"},

	{part: "deadline", field: "timeout", text: "1s", unless: "none"},
	{part: "deadline", field: "streamTimeout", text: "1h", unless: "streamNone"},
	{part: "retry", text: none},
	{part: "retry", field: "codes", text: "[UNAVAILABLE]", ifSet: true},
	{part: "retry", field: "initialBackoff", text: "50ms", ifSet: true},
	{part: "retry", field: "maxBackoff", text: "1s", ifSet: true},
	{part: "retry", field: "multiplier", text: "2", ifSet: true},
	{part: "retryBudget", field: "maxTokens", text: "10", unless: "disabled"},
	{part: "retryBudget", field: "tokenRatio", text: "0.1", unless: "disabled"},
	{part: "hedge", text: none},
	{part: "hedge", field: "maxAttempts", text: "2", ifSet: true},
	{part: "breaker", field: "failureRatio", text: "0.25", unless: "disabled"},
	{part: "breaker", field: "minCalls", text: "20", unless: "disabled"},
	{part: "breaker", field: "window", text: "10s", unless: "disabled"},
	{part: "breaker", field: "open", text: "5s", unless: "disabled"},
	{part: "breaker", field: "probes", text: "5", unless: "disabled"},
	{part: "breaker", field: "maxConcurrent", text: "100"},
	{part: "breaker", field: "maxStreams", text: "1000"},
	{part: "throttle", text: none},
	{part: "throttle", field: "failureRatio", text: "0.25", unless: "disabled", ifSet: true},
	{part: "throttle", field: "minCalls", text: "20", unless: "disabled", ifSet: true},
	{part: "throttle", field: "window", text: "10s", unless: "disabled", ifSet: true},
	{part: "throttle", field: "maxRefusedRatio", text: "0.9", unless: "disabled", ifSet: true},
	{part: "classify", text: "as gRPC codes say"},
	{part: "outlierEjection", field: "consecutiveFailures", text: "5", unless: "disabled"},
	{part: "outlierEjection", field: "failureRatio", text: "0.5", unless: "disabled"},
	{part: "outlierEjection", field: "baseEjectionTime", text: "1s", unless: "disabled"},
	{part: "outlierEjection", field: "maxEjectionTime", text: "30s", unless: "disabled"},
	{part: "outlierEjection", field: "maxEjectionPercent", text: "50", unless: "disabled"},
	{part: "healthCheck", text: "watched"},
	{part: "serverIdentity", text: "the DNS name is enough"},
	{part: "loadBalancing", field: "algorithm", text: "round_robin"},
	{part: "slowStart", text: none},
	{part: "slowStart", field: "minPercent", text: "10", ifSet: true},
	{part: "fallback", text: "that of the program"},

	{part: "tuning", field: "maxMessageBytes", text: "16 MiB"},
	{part: "tuning", field: "streamWindowBytes", text: "1 MiB"},
	{part: "tuning", field: "connectionWindowBytes", text: "1 MiB"},
	{part: "tuning", field: "keepaliveTime", text: "10s", unless: "keepaliveNone"},
	{part: "tuning", field: "keepaliveTimeout", text: "3s", unless: "keepaliveNone"},
	{part: "tuning", field: "maxMetadataBytes", text: "16 KiB"},
	{part: faultPart, text: none},
}

// clientParts are enforced by callers; tuning is enforced on both sides.
var clientParts = []string{"deadline", "retry", "retryBudget", "hedge", "breaker", "throttle", "classify", "outlierEjection", "healthCheck", "serverIdentity", "loadBalancing", "slowStart", "fallback"}

// fromDefault is the source of a default.
const fromDefault = "default"

func (d defaultValue) value(side, method string) Value {
	v := Value{Side: side, Method: method, Field: d.part, Value: d.text, From: fromDefault}
	if d.field != "" {
		v.Field += "." + d.field
	}
	return v
}

// defaultsWithout returns the defaults of the parts that are not set, or not for every method. single means that all parts are of one method. A file
// of a caller does not concern the other callers.
func defaultsWithout(set []part, single bool) (all []Value) {
	for _, d := range defaults {
		for _, side := range sidesOf(d.part) {
			isSet := slices.ContainsFunc(set, func(p part) bool {
				return !p.partial && p.side == side && p.name == d.part && (single || policy.Covers(p.method, "")) && (side == string(compile.Server) || !strings.HasPrefix(p.from, fileOf))
			})
			if !isSet && !d.ifSet {
				all = append(all, d.value(side, ""))
			}
		}
	}
	return all
}

func sidesOf(part string) []string {
	switch {
	case slices.Contains(clientParts, part):
		return []string{string(compile.Client)}
	case part == "tuning":
		return []string{string(compile.Server), string(compile.Client)}
	case part == faultPart:
		return nil
	default:
		return []string{string(compile.Server)}
	}
}
