package xds

import (
	"math"
	"time"

	common "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/fault/v3"
	httpfault "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// faultFilterName names the filter of a fault. Each fault has a filter of its own, which does nothing in routes that have no settings for it, because
// faults are independent of each other: of two with 10 %, each affects a tenth of the calls.
func faultFilterName(f *policyv1.Fault) string { return "fault/" + f.GetName() }

// hangTime is the delay of a call that hangs: it ends earlier, with its deadline.
const hangTime = 365 * 24 * time.Hour

// faultOf returns the settings of the filter of a fault.
func faultOf(f *policyv1.Fault) *httpfault.HTTPFault {
	share := percentage(f)
	switch k := f.GetKind().(type) {
	case *policyv1.Fault_Delay:
		// The filter has no jitter: half of it, so that the mean is right.
		return delayed(k.Delay.GetFixed().AsDuration()+k.Delay.GetJitter().AsDuration()/2, share)
	case *policyv1.Fault_Hang:
		return delayed(hangTime, share)
	case *policyv1.Fault_Abort:
		return &httpfault.HTTPFault{Abort: &httpfault.FaultAbort{Percentage: share, ErrorType: &httpfault.FaultAbort_GrpcStatus{GrpcStatus: uint32(codeOf(k.Abort.GetCode()))}}}
	}
	return &httpfault.HTTPFault{}
}

func delayed(d time.Duration, share *typev3.FractionalPercent) *httpfault.HTTPFault {
	if d <= 0 {
		return &httpfault.HTTPFault{}
	}
	return &httpfault.HTTPFault{Delay: &common.FaultDelay{Percentage: share, FaultDelaySecifier: &common.FaultDelay_FixedDelay{FixedDelay: durationpb.New(d)}}}
}

func percentage(f *policyv1.Fault) *typev3.FractionalPercent {
	share := 100.0
	if f.Percent != nil {
		share = f.GetPercent()
	}
	return &typev3.FractionalPercent{Numerator: uint32(math.Round(share * 10000)), Denominator: typev3.FractionalPercent_MILLION}
}

func codeOf(name string) (c codes.Code) {
	if err := c.UnmarshalJSON([]byte(`"` + name + `"`)); err != nil {
		return codes.Unknown
	}
	return c
}
