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
	if retry, ok := st.Details()[1].(*errdetails.RetryInfo); !ok || retry.GetRetryDelay().AsDuration() != time.Second {
		t.Errorf("got %v", st.Details())
	}
	if Reason(errors.New("other")) != "" || Reason(nil) != "" {
		t.Error("a reason out of nothing")
	}
}

func TestField(t *testing.T) {
	st := status.Convert(Field("age", "must be a number"))
	bad, ok := st.Details()[0].(*errdetails.BadRequest)
	if st.Code() != codes.InvalidArgument || st.Message() != "age: must be a number" || !ok || bad.GetFieldViolations()[0].GetField() != "age" {
		t.Errorf("got %v", st)
	}
}
