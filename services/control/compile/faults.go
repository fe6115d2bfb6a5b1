package compile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// inject adds the faults of a pod. Faults are in the order of their age, because the first one that ends a call decides how.
func (c *Compiler) inject(pod Pod, out *Compiled) {
	var mine []Fault
	for _, f := range c.faults[pod.Namespace] {
		if slices.ContainsFunc(c.TargetsOf(f), func(p Pod) bool { return p.Name == pod.Name }) || f.Spec.GetPods() == 0 && pod.Selected(f.Object, f.Spec.GetSelector()) {
			mine = append(mine, f)
		}
	}
	slices.SortFunc(mine, func(a, b Fault) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name))
	})
	for _, f := range mine {
		side := Server
		if f.Spec.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT {
			side = Client
			out.Policy.ClientFaults = append(out.Policy.ClientFaults, effect(f))
		} else {
			out.Policy.ServerFaults = append(out.Policy.ServerFaults, effect(f))
		}
		out.Values = append(out.Values, Value{Object: f.Object, Field: "fault", Method: f.Spec.GetMethod(), Side: side, Callee: f.Spec.GetCallee(), Shadow: f.Spec.GetShadow(), Part: f.Spec,
			Text: policy.FaultText(f.Spec)})
	}
}

// TargetsOf returns the pods into whose calls a fault is injected, from the oldest.
func (c *Compiler) TargetsOf(f Fault) (targets []Pod) {
	for _, p := range c.pods[f.Namespace] {
		if p.Selected(f.Object, f.Spec.GetSelector()) {
			targets = append(targets, p)
		}
	}
	if n := int(f.Spec.GetPods()); n > 0 && len(targets) > n {
		targets = targets[:n]
	}
	return targets
}

func effect(f Fault) *policyv1.Fault {
	s := f.Spec
	e := &policyv1.Fault{Name: f.Namespace + "/" + f.Name, Callee: s.GetCallee(), Method: s.GetMethod(), Percent: s.Percent, Metadata: s.GetMetadata(),
		Duration: s.GetDuration(), Uid: f.UID, Shadow: s.GetShadow()}
	switch k := s.GetKind().(type) {
	case *policyv1.FaultSpec_Delay:
		e.Kind = &policyv1.Fault_Delay{Delay: k.Delay}
	case *policyv1.FaultSpec_Abort:
		e.Kind = &policyv1.Fault_Abort{Abort: k.Abort}
	case *policyv1.FaultSpec_Hang:
		e.Kind = &policyv1.Fault_Hang{Hang: k.Hang}
	case *policyv1.FaultSpec_Cut:
		e.Kind = &policyv1.Fault_Cut{Cut: k.Cut}
	case *policyv1.FaultSpec_Throttle:
		e.Kind = &policyv1.Fault_Throttle{Throttle: k.Throttle}
	}
	if s.GetLeaseSeconds() > 0 {
		e.LeaseTime = durationpb.New(time.Duration(s.GetLeaseSeconds()) * time.Second)
	}
	return e
}
