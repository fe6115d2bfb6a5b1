package refusal

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestNew(t *testing.T) {
	err := New(codes.ResourceExhausted, "TOO_MANY", "too many", After(time.Second))
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || st.Message() != "too many" || Reason(err) != "TOO_MANY" {
		t.Errorf("got %v", st)
	}
	if after, ok := RetryDelay(err); !ok || after != time.Second {
		t.Errorf("to try again after %s, %v: %v", after, ok, st.Details())
	}
	if _, ok := RetryDelay(New(codes.Unavailable, "AWAY", "away")); ok {
		t.Error("a delay out of nothing")
	}
	foreign, detailErr := status.New(codes.Aborted, "other").WithDetails(&errdetails.ErrorInfo{Reason: "OTHER", Domain: "example.org"})
	if detailErr != nil {
		t.Fatal(detailErr)
	}
	for _, err := range []error{errors.New("other"), nil, foreign.Err()} {
		if Reason(err) != "" {
			t.Errorf("a reason out of %v", err)
		}
	}
}

func TestFields(t *testing.T) {
	st := status.Convert(Fields(&errdetails.BadRequest_FieldViolation{Field: "age", Description: "must be a number"},
		&errdetails.BadRequest_FieldViolation{Field: "email", Description: "must have an @"}))
	bad, ok := st.Details()[0].(*errdetails.BadRequest)
	if st.Code() != codes.InvalidArgument || st.Message() != "age: must be a number" || !ok || bad.GetFieldViolations()[1].GetField() != "email" {
		t.Errorf("got %v", st)
	}
}
