package refusal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestNew_HasReasonAndRetryDelay(t *testing.T) {
	err := New(codes.ResourceExhausted, "TOO_MANY", "too many", After(time.Second))
	st := status.Convert(err)
	if st.Code() != codes.ResourceExhausted || st.Message() != "too many" || Reason(err) != "TOO_MANY" {
		t.Errorf("got %v", st)
	}
	if after, ok := RetryDelay(err); !ok || after != time.Second {
		t.Errorf("retry delay %s, %v: %v", after, ok, st.Details())
	}
	if _, ok := RetryDelay(New(codes.Unavailable, "AWAY", "away")); ok {
		t.Error("an error without the detail has a retry delay")
	}
	foreign, detailErr := status.New(codes.Aborted, "other").WithDetails(&errdetails.ErrorInfo{Reason: "OTHER", Domain: "example.org"})
	if detailErr != nil {
		t.Fatal(detailErr)
	}
	for _, err := range []error{errors.New("other"), nil, foreign.Err()} {
		if Reason(err) != "" {
			t.Errorf("%v has a reason", err)
		}
	}
}

func TestBecause_CarriesRemediesAsHelp(t *testing.T) {
	err := Because(codes.InvalidArgument, fmt.Errorf("reading: %w", remedy.New("no slash", remedy.Value("a/b"), remedy.Value("c/d"))))
	st := status.Convert(err)
	if st.Code() != codes.InvalidArgument || st.Message() != "reading: no slash" {
		t.Errorf("got %v", st)
	}
	if got, want := remedy.Line(remedy.Wrap(err, Remedies(st.Err())...), nil), err.Error()+"; try: a/b; try: c/d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if st := status.Convert(Because(codes.Internal, errors.New("x"))); st.Code() != codes.Internal || st.Message() != "x" || len(st.Details()) > 0 {
		t.Errorf("got %v", st)
	}
}

func TestField_HasMoreDetails(t *testing.T) {
	err := Field("user_id", "must be a number", Help("u-42"))
	if got, want := status.Convert(err).Message(), "user_id: must be a number"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Remedies(err); len(got) != 1 || got[0].Text(nil) != "u-42" {
		t.Errorf("got %v", got)
	}
}

func TestFields_FirstViolationIsTheMessage(t *testing.T) {
	st := status.Convert(Fields(&errdetails.BadRequest_FieldViolation{Field: "age", Description: "must be a number"},
		&errdetails.BadRequest_FieldViolation{Field: "email", Description: "must have an @"}))
	bad, ok := st.Details()[0].(*errdetails.BadRequest)
	if st.Code() != codes.InvalidArgument || st.Message() != "age: must be a number" || !ok || bad.GetFieldViolations()[1].GetField() != "email" {
		t.Errorf("got %v", st)
	}
}

func TestLocal_MarkStaysInTheProcess(t *testing.T) {
	original := New(codes.Unavailable, "BREAKER_OPEN", "circuit breaker is open", After(time.Second))
	local := Local(original)
	if !IsLocal(local) || !IsLocal(fmt.Errorf("calling: %w", local)) {
		t.Error("the mark is lost within the process")
	}
	if status.Code(local) != codes.Unavailable || Reason(local) != "BREAKER_OPEN" || local.Error() != original.Error() {
		t.Errorf("got %v, want the status of %v", local, original)
	}
	if overTheWire := status.Convert(local).Err(); IsLocal(overTheWire) || Reason(overTheWire) != "BREAKER_OPEN" {
		t.Errorf("a caller in another process receives %v, local: %v", overTheWire, IsLocal(overTheWire))
	}
	if IsLocal(original) || IsLocal(nil) || Local(nil) != nil {
		t.Error("an error without the mark is local")
	}
}
