// Package validation checks requests against the rules in their protos, which protovalidate defines, and text against what PostgreSQL can store.
package validation

import (
	"errors"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// Check returns INVALID_ARGUMENT with a violation for each field that breaks its rule, at most 16 of them.
func Check(message proto.Message) error {
	err := protovalidate.Validate(message)
	if err == nil {
		return nil
	}
	var invalid *protovalidate.ValidationError
	if !errors.As(err, &invalid) {
		return status.Errorf(codes.Internal, "checking the request: %v", err)
	}
	var violations []*errdetails.BadRequest_FieldViolation
	for _, v := range invalid.Violations[:min(len(invalid.Violations), maxViolations)] {
		violations = append(violations, &errdetails.BadRequest_FieldViolation{
			Field: protovalidate.FieldPathString(v.Proto.GetField()), Description: v.Proto.GetMessage(), Reason: v.Proto.GetRuleId()})
	}
	return refusal.Fields(violations...)
}
