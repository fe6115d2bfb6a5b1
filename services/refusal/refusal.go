// Package refusal makes the errors that leave a service: a code, a sentence, and details that a program can read.
package refusal

import (
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is in the ErrorInfo of every refusal.
const Domain = "sandbox.dev"

// New is an error with a reason in its ErrorInfo: UPPER_SNAKE_CASE, one for each thing a caller may want to tell apart.
func New(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	detailed, err := st.WithDetails(append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: Domain}}, more...)...)
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

// After says when to try again.
func After(d time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// Field is INVALID_ARGUMENT for one field.
func Field(name, description string) error {
	return Fields([]*errdetails.BadRequest_FieldViolation{{Field: name, Description: description}})
}

// Fields is INVALID_ARGUMENT for fields; the first is in the message too.
func Fields(violations []*errdetails.BadRequest_FieldViolation) error {
	message := "the request is malformed"
	if len(violations) > 0 {
		message = violations[0].GetField() + ": " + violations[0].GetDescription()
	}
	st := status.New(codes.InvalidArgument, message)
	detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: violations})
	if err != nil {
		return st.Err()
	}
	return detailed.Err()
}

// Reason reads the reason of an error; empty when it has none.
func Reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}
