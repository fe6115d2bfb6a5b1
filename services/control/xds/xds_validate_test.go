package xds

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
)

// validate checks a message by the rules of Envoy's API, with the messages that are packed in it. Each must be the same after it was written and read.
func validate(m proto.Message) error {
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			return fmt.Errorf("%T: %w", m, err)
		}
	}
	text, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	read := m.ProtoReflect().New().Interface()
	if err := (proto.UnmarshalOptions{}).Unmarshal(text, read); err != nil {
		return err
	}
	if !proto.Equal(m, read) || len(read.ProtoReflect().GetUnknown()) > 0 {
		return fmt.Errorf("%T is not the same after it was written and read", m)
	}
	return validateInside(m.ProtoReflect())
}

func validateInside(m protoreflect.Message) (err error) {
	check := func(v protoreflect.Message) bool {
		if a, ok := v.Interface().(*anypb.Any); ok {
			inner, unpacking := a.UnmarshalNew()
			if unpacking != nil {
				err = unpacking
				return false
			}
			err = validate(inner)
			return err == nil
		}
		err = validateInside(v)
		return err == nil
	}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap() && fd.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, item protoreflect.Value) bool { return check(item.Message()) })
		case fd.IsMap() || fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				if !check(v.List().Get(i).Message()) {
					return false
				}
			}
		default:
			return check(v.Message())
		}
		return err == nil
	})
	return err
}

// extremes are values at the ends of what a policy permits, for which the limits of Envoy's API are closer.
var extremes = []string{
	"maxRequestsPerSecond: 0.000001",
	"maxRequestsPerSecond: 1000000000",
	"methods: [{rate: {limits: [{limit: {tokenBucket: {rate: 1000000000, burst: 4294967295}}}, {limit: {leakyBucket: {rate: 0.000001}}}]}}]",
	"methods: [{bulkhead: {}}]",
	"methods: [{callers: {}}]",
	`methods: [{callers: {allow: ["spiffe://*/ns/?/sa/a.b"]}}]`,
	"methods: [{serverDeadline: {timeout: 1ms}}]",
	"methods: [{deadline: {timeout: 8760h}}]",
	"methods: [{breaker: {}}]",
	"methods: [{breaker: {maxConcurrent: 0, failureRatio: 1, minCalls: 4294967295, window: 10ms}}]",
	"methods: [{breaker: {failureRatio: 0.0001, window: 8760h}}]",
	"methods: [{retry: {maxAttempts: 1}}]",
	"methods: [{retry: {idempotent: true, maxAttempts: 5, codes: [ABORTED], initialBackoff: 1us, maxBackoff: 1us}}]",
	"methods: [{retry: {idempotent: true, maxAttempts: 2, initialBackoff: 8760h, maxBackoff: 1ms, perTryTimeout: 1ms}}]",
	"methods: [{hedge: {idempotent: true, delay: 1ms, maxAttempts: 5}}]",
	"methods: [{hedge: {maxAttempts: 1}}]",
	"outlierEjection: {failureRatio: 0.01, consecutiveFailures: 1, baseEjectionTime: 10ms, maxEjectionTime: 10ms, maxEjectionPercent: 1}",
	"outlierEjection: {failureRatio: 1, consecutiveFailures: 4294967295, baseEjectionTime: 8760h, maxEjectionTime: 10ms, maxEjectionPercent: 100}",
	"outlierEjection: {disabled: true}",
	"retryBudget: {maxTokens: 1, tokenRatio: 1000}",
	"retryBudget: {disabled: true}",
	"tuning: {streamWindowBytes: 65536, connectionWindowBytes: 2147483647, keepaliveTime: 8760h, keepaliveTimeout: 1ms}",
	"loadBalancing: {algorithm: ALGORITHM_ROUND_ROBIN}",
	"loadBalancing: {algorithm: ALGORITHM_LEAST_REQUEST}\nslowStart: {window: 8760h, minPercent: 1}",
	"slowStart: {window: 1ms, minPercent: 100}",
	"slowStart: {window: 0s}",
	"methods: [{throttle: {failureRatio: 0.99, minCalls: 1, window: 10ms, maxRefusedRatio: 1}}]",
	"methods: [{throttle: {disabled: true}}]",
	"methods: [{throttle: {}, classify: {failures: [NOT_FOUND, CANCELLED], successes: [UNKNOWN], ignored: [RESOURCE_EXHAUSTED]}}]",
}

func validateAll(t *testing.T, what string, w compile.World) {
	t.Helper()
	for _, kind := range []Kind{GRPC, Envoy} {
		for _, service := range []string{"caller", "users"} {
			for _, domain := range []string{"", "sandbox.local"} {
				for of, resources := range Build(inputOf(w, kind, service, domain)) {
					for name, r := range resources {
						if err := validate(r); err != nil {
							t.Errorf("%s: %s, %s %s: %v", what, kind, of, name, err)
						}
					}
				}
			}
		}
	}
}

func TestBuild_ValidByTheAPI(t *testing.T) {
	validateAll(t, "full", fullWorld(t))
	for _, text := range extremes {
		validateAll(t, text, withPolicy(t, world(), "p", text))
	}
	for _, kind := range []string{"delay: {fixed: 0s}", "delay: {fixed: 8760h, jitter: 8760h}", "abort: {code: DATA_LOSS, message: no}", "abort: {code: CANCELLED}", "hang: {}", "cut: {afterMessages: 3}", "throttle: {rate: 2}"} {
		for service, side := range map[string]string{"caller": "FAULT_SIDE_CLIENT", "users": "FAULT_SIDE_SERVER"} {
			validateAll(t, kind, withFault(t, world(), "f", service, "side: "+side+"\npercent: 0.0001\nmetadata: {X-Who: me}\n"+kind))
		}
	}
}

func TestBuild_MixedPoliciesAreValid(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 100 {
		w := world()
		for i := range 1 + random.IntN(4) {
			w = withPolicy(t, w, fmt.Sprint(i), extremes[random.IntN(len(extremes))])
		}
		validateAll(t, fmt.Sprintf("mix %d", n), w)
	}
}
