package xds

import (
	"math"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// The defaults of policy.v1.OutlierEjection.
const (
	ejectionInterval           = time.Second
	ejectionVolume             = 10
	defaultEjectionRatio       = 0.5
	defaultBaseEjectionTime    = time.Second
	defaultMaxEjectionTime     = 30 * time.Second
	defaultEjectionPercent     = 50
	defaultConsecutiveFailures = 5
)

// outlierDetection returns when replicas are ejected; nil for never.
func outlierDetection(e *policyv1.OutlierEjection) *cluster.OutlierDetection {
	if e == nil || e.GetDisabled() {
		return nil
	}
	ratio, most := defaultEjectionRatio, uint32(defaultEjectionPercent)
	if e.FailureRatio != nil {
		ratio = e.GetFailureRatio()
	}
	if e.MaxEjectionPercent != nil {
		most = e.GetMaxEjectionPercent()
	}
	base := orDefault(e.GetBaseEjectionTime(), defaultBaseEjectionTime)
	return &cluster.OutlierDetection{
		Interval: durationpb.New(ejectionInterval), BaseEjectionTime: durationpb.New(base),
		MaxEjectionTime:    durationpb.New(max(base, orDefault(e.GetMaxEjectionTime(), defaultMaxEjectionTime))),
		MaxEjectionPercent: wrapperspb.UInt32(most),
		// The threshold must be exceeded, the ratio only reached.
		FailurePercentageThreshold:     wrapperspb.UInt32(uint32(max(0, math.Ceil(ratio*100)-1))),
		EnforcingFailurePercentage:     wrapperspb.UInt32(100),
		FailurePercentageMinimumHosts:  wrapperspb.UInt32(1),
		FailurePercentageRequestVolume: wrapperspb.UInt32(ejectionVolume),
		// Switched off, because it is on by default and compares replicas with each other, which no policy asks for.
		EnforcingSuccessRate: wrapperspb.UInt32(0),
	}
}
