package compile

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// shareOf returns the share of the calls to which a policy or value applies, in percent.
func shareOf(percent *float64) float64 {
	if percent == nil {
		return 100
	}
	return *percent
}

// noCall says what a policy with percent: 0 does. It is valid, because a share may be raised from 0 and lowered to it.
const noCall = "percent is 0: applies to no call"

// inShadow reports whether a field of a policy is in shadow mode.
func inShadow(s *policyv1.TrafficPolicySpec, part protoreflect.FieldDescriptor) bool {
	return s.GetShadow() || part.Name() == "outlier_ejection" && s.GetOutlierEjection().GetShadow()
}

// ejection returns the ejection of replicas of a policy, which is in shadow mode if the policy is.
func ejection(s *policyv1.TrafficPolicySpec) *policyv1.OutlierEjection {
	e := s.GetOutlierEjection()
	if e == nil || !s.GetShadow() {
		return e
	}
	e = proto.CloneOf(e)
	e.Shadow = true
	return e
}

// Partial reports whether the value is not enforced for every call: it is in shadow mode, or applies to a share of the calls.
func (v Value) Partial() bool { return v.Shadow || shareOf(v.Percent) < 100 }

// replaces reports whether a value applies to all calls to which an earlier one of the same field applies. One in shadow mode replaces none that is
// enforced, and the other way round. The calls of a smaller share are among those of a larger one.
func (v Value) replaces(old Value) bool {
	return v.Shadow == old.Shadow && shareOf(v.Percent) >= shareOf(old.Percent) && policy.Covers(v.Method, old.Method)
}
