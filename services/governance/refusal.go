package governance

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

const errorDomain = "sandbox.dev"

// The ErrorInfo reasons of calls that governance refused. The README says what each means.
const (
	ReasonBreakerOpen      = "BREAKER_OPEN"
	ReasonTooManyCalls     = "TOO_MANY_CALLS"
	ReasonDeadlineRequired = "DEADLINE_REQUIRED"
	ReasonDeadlinePassed   = "DEADLINE_PASSED"
	ReasonBulkheadFull     = "BULKHEAD_FULL"
	ReasonRateLimited      = "RATE_LIMITED"
	ReasonOverloaded       = "OVERLOADED"
	ReasonCallerNotAllowed = "CALLER_NOT_ALLOWED"
	ReasonFaultInjected    = "FAULT_INJECTED"
)

// refuse makes the error of a call that governance refused.
func refuse(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	return detailed(code, message, append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: errorDomain}}, more...)...)
}

func detailed(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st.Err()
}

func withRetry(after time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(after)}
}

func withQuota(subject string, limit int64) protoadapt.MessageV1 {
	return &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: subject,
		Description: "the limit has been reached", QuotaValue: limit}}}
}

// RefusalReason returns the ErrorInfo reason when governance refused the call, on either side, else "".
func RefusalReason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			return info.GetReason()
		}
	}
	return ""
}

// RetryDelay returns how long the error asks its caller to wait before another try.
func RetryDelay(err error) (time.Duration, bool) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// InvalidArgument is the error of a request whose fields are wrong: it has a BadRequest with a violation for each field.
func InvalidArgument(violations map[string]string) error {
	bad, text := &errdetails.BadRequest{}, ""
	for _, field := range slices.Sorted(maps.Keys(violations)) {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: violations[field]})
		if text != "" {
			text += "; "
		}
		text += field + " " + violations[field]
	}
	return detailed(codes.InvalidArgument, text, bad)
}

// RetryAfter is the error of a service that could not do a call now and may be asked again after a while. reason is for machines:
// POOL_FULL.
func RetryAfter(code codes.Code, reason, message string, after time.Duration) error {
	return refuse(code, reason, message, withRetry(after))
}
