package traffic

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// FaultOptions describe a fault in the words of the command line. Exactly one of Abort, Delay, Hang, Cut and Throttle is set.
type FaultOptions struct {
	// Release has the pods into whose calls the fault is injected.
	Release string
	// Abort is a gRPC code.
	Abort string
	// Delay is a duration, or two of them with a comma: the delay and up to how much more, at random.
	Delay string
	// Hang means that calls end only with their deadlines, or when their callers cancel them.
	Hang bool
	// Cut ends a stream after this many messages; negative means that the fault is not a cut.
	Cut int
	// Throttle is how many calls per second each pod serves; 0 means that the fault is not a throttle.
	Throttle float64
	// Method is a method or a pattern; empty means every method.
	Method string
	// Percent is the share of the calls; 100 means all.
	Percent float64
	// Shadow means that the calls are only counted.
	Shadow bool
	// Pods is the number of pods; 0 means all.
	Pods uint32
	// Client means the calls that the pods make rather than those that they receive; Callee is the called service, empty for every service.
	Client bool
	Callee string
	// For is how long the fault lasts; 0 means until it is cleared.
	For time.Duration
}

// faultLease is how many seconds a fault outlives the program that created it.
const faultLease = 10

// NewFault returns the specification of a fault. It has a lease. The error is a *policy.Error, whose fields are those of the specification, or says
// which option cannot be read.
func NewFault(o FaultOptions) (*policyv1.FaultSpec, error) {
	spec := &policyv1.FaultSpec{Selector: &policyv1.WorkloadSelector{MatchLabels: map[string]string{compile.ServiceLabel: o.Release}},
		Method: o.Method, Pods: o.Pods, Callee: o.Callee, LeaseSeconds: faultLease, Shadow: o.Shadow}
	if o.Client {
		spec.Side = policyv1.FaultSide_FAULT_SIDE_CLIENT
	}
	if o.Percent != 100 {
		spec.Percent = &o.Percent
	}
	if o.For > 0 {
		spec.Duration = durationpb.New(o.For)
	}
	switch {
	case o.Abort != "":
		spec.Kind = &policyv1.FaultSpec_Abort{Abort: &policyv1.Abort{Code: strings.ToUpper(o.Abort)}}
	case o.Delay != "":
		delay, err := parseDelay(o.Delay)
		if err != nil {
			return nil, err
		}
		spec.Kind = &policyv1.FaultSpec_Delay{Delay: delay}
	case o.Hang:
		spec.Kind = &policyv1.FaultSpec_Hang{Hang: &policyv1.Hang{}}
	case o.Throttle != 0:
		spec.Kind = &policyv1.FaultSpec_Throttle{Throttle: &policyv1.CallThrottle{Rate: o.Throttle}}
	case o.Cut >= 0:
		spec.Kind = &policyv1.FaultSpec_Cut{Cut: &policyv1.Cut{AfterMessages: uint32(o.Cut)}}
	}
	if problems := policy.Check(spec); len(problems) > 0 {
		return nil, &policy.Error{Problems: problems}
	}
	return spec, nil
}

func parseDelay(text string) (*policyv1.Delay, error) {
	fixed, jitter, has := strings.Cut(text, ",")
	d, err := time.ParseDuration(fixed)
	if err != nil {
		return nil, fmt.Errorf("%q is not a duration", fixed)
	}
	delay := &policyv1.Delay{Fixed: durationpb.New(d)}
	if has {
		if d, err = time.ParseDuration(strings.TrimSpace(jitter)); err != nil {
			return nil, fmt.Errorf("%q is not a duration", jitter)
		}
		delay.Jitter = durationpb.New(d)
	}
	return delay, nil
}

// FaultSummary is one fault in a list.
type FaultSummary struct {
	// Name is the name of the fault. Selector has the labels of the pods that it selects; it is empty, not nil, without any.
	Name     string            `json:"name"`
	Selector map[string]string `json:"selector"`
	// Side is server for the calls that the pods receive, and client for those that they make, to Callee if it is not empty.
	Side   string `json:"side"`
	Callee string `json:"callee,omitempty"`
	// Method is the pattern of the methods; empty for every method.
	Method string `json:"method,omitempty"`
	// Effect is in one line, such as abort {code: UNAVAILABLE} 50 %.
	Effect string `json:"effect"`
	// Phase is Pending, Active, Clearing, Ended or Rejected. Why is the reason for the last two.
	Phase string `json:"phase"`
	Why   string `json:"why,omitempty"`
	// Targets are the pods, Applied of them inject the fault.
	Targets []api.FaultTarget `json:"targets"`
	Applied int               `json:"applied"`
	// Created is when the object was created, in UTC.
	Created time.Time `json:"created"`
}

// SummarizeFault returns what is known of a fault.
func SummarizeFault(f api.Fault) FaultSummary {
	s := FaultSummary{Name: f.Name, Selector: map[string]string{}, Side: "server", Phase: f.Status.Phase, Why: f.Status.Reason, Targets: f.Status.Targets,
		Applied: f.Status.Applied, Created: f.CreationTimestamp.UTC()}
	if s.Phase == "" {
		s.Phase = api.FaultPending
	}
	if s.Targets == nil {
		s.Targets = []api.FaultTarget{}
	}
	for _, c := range f.Status.Conditions {
		if c.Type == api.Accepted && c.Message != "" {
			s.Why = c.Message
		}
	}
	// One that is not valid is Rejected, with the reason.
	spec, _ := f.Decode()
	if labels := spec.GetSelector().GetMatchLabels(); labels != nil {
		s.Selector = labels
	}
	if spec.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT {
		s.Side, s.Callee = "client", spec.GetCallee()
	}
	s.Method, s.Effect = spec.GetMethod(), policy.FaultText(spec)
	return s
}
