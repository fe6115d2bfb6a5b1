package xds

import (
	"math"
	"slices"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	admission "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/admission_control/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// refusing says when calls are refused because others fail: the parts of a breaker and of throttling that admission control has.
type refusing struct {
	ratio  float64
	calls  uint32
	window time.Duration
	// most is the greatest share of the calls that is refused.
	most float64
}

// The defaults of policy.v1.Breaker and policy.v1.Throttle, and the greatest share of the calls that stands for a breaker, which refuses all of them.
const (
	defaultFailureRatio = 0.25
	defaultMinCalls     = 20
	defaultWindow       = 10 * time.Second
	defaultMaxRefused   = 0.9
	breakerMaxRefused   = 0.95
)

// refusingOf returns when calls of a method are refused because others fail; false if the policy names nothing of it. Throttling is what admission
// control does; a breaker is approximated by it.
func refusingOf(m method) (refusing, bool) {
	r := refusing{defaultFailureRatio, defaultMinCalls, defaultWindow, breakerMaxRefused}
	var ratio *float64
	var calls *uint32
	var window *durationpb.Duration
	switch t, b := m.throttle, m.breaker; {
	case t != nil && !t.GetDisabled():
		ratio, calls, window, r.most = t.FailureRatio, t.MinCalls, t.GetWindow(), defaultMaxRefused
		if t.MaxRefusedRatio != nil {
			r.most = t.GetMaxRefusedRatio()
		}
	case b != nil && !b.GetDisabled() && (b.FailureRatio != nil || b.MinCalls != nil || b.GetWindow() != nil):
		ratio, calls, window = b.FailureRatio, b.MinCalls, b.GetWindow()
	default:
		return refusing{}, false
	}
	if ratio != nil {
		r.ratio = *ratio
	}
	if calls != nil {
		r.calls = *calls
	}
	r.window = max(time.Second, orDefault(window, r.window).Round(time.Second))
	return r, true
}

// admissionControl returns the filter that refuses calls of a method because others fail; nil for none.
func admissionControl(m method) *admission.AdmissionControl {
	r, ok := refusingOf(m)
	if !ok {
		return nil
	}
	return &admission.AdmissionControl{
		EvaluationCriteria: &admission.AdmissionControl_SuccessCriteria_{SuccessCriteria: &admission.AdmissionControl_SuccessCriteria{
			GrpcCriteria: &admission.AdmissionControl_SuccessCriteria_GrpcCriteria{GrpcSuccessStatus: successes(m.classify)}}},
		SamplingWindow: durationpb.New(r.window),
		// Envoy permits no threshold below 1 %.
		SrThreshold:             &core.RuntimePercent{DefaultValue: &typev3.Percent{Value: max(1, (1-r.ratio)*100)}, RuntimeKey: "breaker.threshold"},
		RpsThreshold:            &core.RuntimeUInt32{DefaultValue: uint32(math.Ceil(float64(r.calls) / r.window.Seconds())), RuntimeKey: "breaker.calls"},
		MaxRejectionProbability: &core.RuntimePercent{DefaultValue: &typev3.Percent{Value: r.most * 100}, RuntimeKey: "breaker.most"},
	}
}

// successes returns the codes that are no failures.
func successes(c *policyv1.Classify) (all []uint32) {
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		if !isFailure(code, c) {
			all = append(all, uint32(code))
		}
	}
	return all
}

// isFailure reports whether a code indicates a problem of the callee, as governance counts it.
func isFailure(code codes.Code, by *policyv1.Classify) bool {
	named := func(list []string) bool {
		return slices.ContainsFunc(list, func(name string) bool { return codeOf(name) == code })
	}
	switch {
	case named(by.GetFailures()):
		return true
	case named(by.GetSuccesses()), named(by.GetIgnored()):
		return false
	}
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Internal, codes.Unknown, codes.DataLoss, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}
