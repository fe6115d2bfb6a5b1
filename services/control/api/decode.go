package api

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Decode returns the specification of a policy. A *policy.Error names the fields that are wrong.
func (p *TrafficPolicy) Decode() (*policyv1.TrafficPolicySpec, error) {
	spec := &policyv1.TrafficPolicySpec{}
	return spec, decode(p.Spec, spec)
}

// Decode returns the specification of a fault. A *policy.Error names the fields that are wrong.
func (f *Fault) Decode() (*policyv1.FaultSpec, error) {
	spec := &policyv1.FaultSpec{}
	return spec, decode(f.Spec, spec)
}

func decode(text []byte, into proto.Message) error {
	if _, err := policy.Decode(text, into); err != nil {
		return withoutLines(err)
	}
	if problems := policy.Check(into); len(problems) > 0 {
		return &policy.Error{Problems: problems}
	}
	return nil
}

// withoutLines removes the lines, because the API server does not keep those of the user's file.
func withoutLines(err error) error {
	var found *policy.Error
	if errors.As(err, &found) {
		for i := range found.Problems {
			found.Problems[i].Line = 0
		}
	}
	return err
}
