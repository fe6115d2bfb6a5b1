package policy

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// A 0 that is written means 0. It never stands for the default.
func TestCheck_Zero(t *testing.T) {
	for _, c := range []struct {
		text string
		// want is the problem, or empty if 0 has a meaning.
		want string
	}{
		{"serverFaults: [{percent: 0, hang: }]", ""},
		{"server: [{deadline: {margin: 0s}}]", ""},
		{"server: [{bulkhead: {maxConcurrent: 0}}]", ""},
		{"server: [{rate: {limits: [{leakyBucket: {rate: 1, queue: 0}}]}}]", ""},
		{"client: [{breaker: {maxConcurrent: 0}}]", ""},
		{"client: [{breaker: {slowCallRatio: 0}}]", ""},
		{"client: [{breaker: {slowCallRatio: 1, slowCallDuration: 0s}}]", "client[0].breaker.slowCallDuration: must be from 1ms to 8760h"},
		{"clientFaults: [{cut: {afterMessages: 0}}]", ""},
		{"server: [{percent: 0}]", ""},
		{"client: [{percent: 0}]", ""},
		{"server: [{percent: -1}]", "server[0].percent: must be from 0 to 100"},
		{"client: [{percent: 101}]", "client[0].percent: must be from 0 to 100"},
		{"trials: [{percent: 101}]", "trials[0].percent: must be from 0 to 100"},
		{"server: [{rate: {limits: [{tokenBucket: {rate: 0}}]}}]", "tokenBucket.rate: must be from 0.000001 to 1000000000"},
		{"server: [{rate: {limits: [{tokenBucket: {rate: 1, burst: 0}}]}}]", "tokenBucket.burst: must be at least 1"},
		{"server: [{deadline: {timeout: 0s}}]", "server[0].deadline.timeout: must be from 1ms to 8760h"},
		{"server: [{deadline: {streamTimeout: 0s}}]", "server[0].deadline.streamTimeout: must be from 1ms to 8760h"},
		{"client: [{deadline: {timeout: 0s}}]", "client[0].deadline.timeout: must be from 1ms to 8760h"},
		{"shed: {minLimit: 0}", "shed.minLimit: must be at least 1"},
		{"shed: {maxLimit: 0}", "shed.maxLimit: must be at least 1"},
		{"shed: {initialLimit: 0}", "shed.initialLimit: must be at least 1"},
		{"client: [{breaker: {failureRatio: 0}}]", "client[0].breaker.failureRatio: must be above 0 and at most 1"},
		{"client: [{breaker: {minCalls: 0}}]", "client[0].breaker.minCalls: must be at least 1"},
		{"client: [{breaker: {window: 0s}}]", "client[0].breaker.window: must be from 10ms to 8760h"},
		{"client: [{breaker: {maxOpen: 0s}}]", "client[0].breaker.maxOpen: must be from 1ms to 8760h"},
		{"client: [{breaker: {open: 0s}}]", "client[0].breaker.open: must be from 1ms to 8760h"},
		{"client: [{breaker: {probes: 0}}]", "client[0].breaker.probes: must be at least 1"},
		{"client: [{retry: {idempotent: true, maxAttempts: 0}}]", "client[0].retry.maxAttempts: must be from 1 to 5"},
		{"client: [{retry: {idempotent: true, maxAttempts: 2, multiplier: 0}}]", "client[0].retry.multiplier: must be from 1 to 100"},
		{"client: [{retry: {idempotent: true, maxAttempts: 2, initialBackoff: 0s}}]", "client[0].retry.initialBackoff: must be from 1µs to 8760h"},
		{"connections: [{retryBudget: {maxTokens: 0}}]", "connections[0].retryBudget.maxTokens: must be from 1 to 1000"},
		{"connections: [{retryBudget: {tokenRatio: 0}}]", "connections[0].retryBudget.tokenRatio: must be from 0.001 to 1000"},
		{"client: [{throttle: {}}]", ""},
		{"client: [{throttle: {failureRatio: 0}}]", "client[0].throttle.failureRatio: must be above 0 and at most 0.99"},
		{"client: [{throttle: {failureRatio: 1}}]", "client[0].throttle.failureRatio: must be above 0 and at most 0.99"},
		{"client: [{throttle: {minCalls: 0}}]", "client[0].throttle.minCalls: must be at least 1"},
		{"client: [{throttle: {window: 0s}}]", "client[0].throttle.window: must be from 10ms to 8760h"},
		{"client: [{throttle: {maxRefusedRatio: 0}}]", "client[0].throttle.maxRefusedRatio: must be above 0 and at most 1"},
		{"connections: [{slowStart: {window: 0s}}]", ""},
		{"connections: [{slowStart: {window: 30s, minPercent: 0}}]", "connections[0].slowStart.minPercent: must be from 1 to 100"},
		{"connections: [{slowStart: {}}]", "connections[0].slowStart.window: is missing; try: 30s"},
		{"tuning: {maxMessageBytes: 0}", "tuning.maxMessageBytes: must be from 1 to"},
		{"tuning: {streamWindowBytes: 0}", "tuning.streamWindowBytes: must be from 65536 to"},
		{"tuning: {connectionWindowBytes: 0}", "tuning.connectionWindowBytes: must be from 65536 to"},
		{"connections: [{tuning: {maxMetadataBytes: 0}}]", "connections[0].tuning.maxMetadataBytes: must be from 1024 to"},
		{"tuning: {keepaliveTime: 0s}", "tuning.keepaliveTime: must be from 10s to 8760h"},
		{"tuning: {keepaliveTimeout: 0s}", "tuning.keepaliveTimeout: must be from 1ms to 8760h"},
	} {
		t.Run(c.text, func(t *testing.T) {
			switch _, err := Parse([]byte(c.text)); {
			case c.want == "" && err != nil:
				t.Error("0 is refused:", err)
			case c.want != "" && (err == nil || !strings.Contains(remedy.Line(err, nil), c.want)):
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestCheck_SlowCalls(t *testing.T) {
	for text, want := range map[string]string{
		"{slowCallRatio: 0.5, slowCallDuration: 200ms}": "",
		"{slowCallRatio: 0, slowCallDuration: 200ms}":   "",
		"{slowCallRatio: 0.5}":                          "client[0].breaker.slowCallDuration: is missing, and slowCallRatio needs it; try: 200ms",
		"{slowCallDuration: 200ms}":                     "client[0].breaker.slowCallRatio: is missing, and slowCallDuration has no effect without it; try: 0.5",
		"{slowCallRatio: 1.1, slowCallDuration: 200ms}": "client[0].breaker.slowCallRatio: must be from 0 to 1",
	} {
		if _, err := Parse([]byte("client: [{breaker: " + text + "}]")); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(remedy.Line(err, nil), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestCheck_Contradictions(t *testing.T) {
	for text, want := range map[string]string{
		"server: [{deadline: {none: true, timeout: 1s}}]":                                          "server[0].deadline.none: cannot be together with timeout",
		"server: [{deadline: {streamNone: true, streamTimeout: 1s}}]":                              "server[0].deadline.streamNone: cannot be together with streamTimeout",
		"server: [{deadline: {required: true, none: true}}]":                                       "server[0].deadline.required: cannot be together with none or streamNone",
		"client: [{deadline: {none: true, timeout: 1s}}]":                                          "client[0].deadline.none: cannot be together with timeout",
		"client: [{deadline: {streamNone: true, streamTimeout: 1s}}]":                              "client[0].deadline.streamNone: cannot be together with streamTimeout",
		"client: [{deadline: {none: true, streamTimeout: 1s}}]":                                    "",
		"client: [{breaker: {open: 2s, maxOpen: 1s}}]":                                             "client[0].breaker.maxOpen: must be at least open",
		"client: [{breaker: {open: 2s, maxOpen: 2s}}]":                                             "",
		"server: [{deadline: {streamNone: true, timeout: 1s}}]":                                    "",
		"server: [{shadow: true, priority: high}]":                                                 "server[0].shadow: cannot be together with priority, shedGroup or callerPriority, which refuse no calls",
		"server: [{shadow: true, shedGroup: g}]":                                                   "server[0].shadow: cannot be together with",
		"server: [{shadow: true, callerPriority: {}}]":                                             "server[0].shadow: cannot be together with",
		"server: [{shadow: true, percent: 10, callers: {}, deadline: {}, bulkhead: {}, rate: {}}]": "",
		"client: [{shadow: true, retry: {maxAttempts: 1}}]":                                        "client[0].shadow: cannot be together with retry, hedge, fallback or classify, which refuse no calls",
		"client: [{shadow: true, hedge: {maxAttempts: 1}}]":                                        "client[0].shadow: cannot be together with",
		"client: [{shadow: true, fallback: {}}]":                                                   "client[0].shadow: cannot be together with",
		"client: [{shadow: true, classify: {}}]":                                                   "client[0].shadow: cannot be together with",
		"client: [{shadow: true, percent: 10, deadline: {}, breaker: {}, throttle: {}}]":           "",
		"connections: [{outlierEjection: {shadow: true, disabled: true}}]":                         "connections[0].outlierEjection.shadow: cannot be together with disabled, which ejects no replica",
		"connections: [{serverIdentity: {allow: [userservice.shop.svc]}}]":                         "connections[0].serverIdentity.allow[0]: \"userservice.shop.svc\" is not a SPIFFE identity",
		"connections: [{serverIdentity: {allow: ['spiffe://a/[b]']}}]":                             "connections[0].serverIdentity.allow[0]: ",
		"connections: [{serverIdentity: {}}]":                                                      "",
		"shed: {disabled: true, maxLimit: 3}":                                                      "shed.disabled: cannot be together with",
		"tuning: {keepaliveNone: true, keepaliveTime: 20s}":                                        "tuning.keepaliveNone: cannot be together with",
		"{shed: {disabled: true}, tuning: {keepaliveNone: true}}":                                  "",
		"trials: [{rate: {}}]":                                                                     "trials[0].percent: is missing: without shadow and percent, these limits are rate and shed of the policy",
		"trials: [{shadow: true, rate: {}}, {percent: 3, shed: {}}]":                               "",
	} {
		if _, err := Parse([]byte(text)); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// meansZero are the number fields in which an unset field and 0 mean the same. Every other number field has explicit presence, so that 0 is not
// taken for the default.
var meansZero = map[protoreflect.FullName]string{
	"policy.v1.Bulkhead.max_concurrent": "no limit",
	"policy.v1.TokenBucket.rate":        "required",
	"policy.v1.LeakyBucket.rate":        "required",
	"policy.v1.LeakyBucket.queue":       "no call waits",
	"policy.v1.Retry.max_attempts":      "required",
	"policy.v1.Cut.after_messages":      "no message",
	"policy.v1.CallThrottle.rate":       "required",
}

func TestProto_ZeroIsNotADefault(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var look func(d protoreflect.MessageDescriptor)
	look = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			fd := d.Fields().Get(i)
			if fd.Message() != nil {
				look(fd.Message())
				continue
			}
			number := fd.Kind() == protoreflect.Uint32Kind || fd.Kind() == protoreflect.DoubleKind
			if _, listed := meansZero[fd.FullName()]; number && fd.HasPresence() == listed {
				t.Errorf("%s: presence %v, listed %v: make the field optional and check its 0, or list what 0 means", fd.FullName(), fd.HasPresence(), listed)
			}
		}
	}
	look((&policyv1.EffectivePolicy{}).ProtoReflect().Descriptor())
}
