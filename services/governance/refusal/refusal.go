// Package refusal makes and reads the errors by which a service refuses a call: a code, a sentence, and details that a program can read.
package refusal

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Domain is in the ErrorInfo of every refusal.
const Domain = "sandbox.dev"

// New is an error with a reason in its ErrorInfo: UPPER_SNAKE_CASE, one for each thing a caller may want to tell apart.
func New(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	return detailed(code, message, append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: Domain}}, more...)...)
}

// Fields is INVALID_ARGUMENT for fields; the first is in the message too.
func Fields(violations ...*errdetails.BadRequest_FieldViolation) error {
	message := "the request is malformed"
	if len(violations) > 0 {
		message = violations[0].GetField() + ": " + violations[0].GetDescription()
	}
	return detailed(codes.InvalidArgument, message, &errdetails.BadRequest{FieldViolations: violations})
}

// Field is INVALID_ARGUMENT for one field, with more details.
func Field(name, description string, more ...protoadapt.MessageV1) error {
	return detailed(codes.InvalidArgument, name+": "+description, append([]protoadapt.MessageV1{Violation(name, description)}, more...)...)
}

// Because is a status with the text of err. The remedies of err travel in a google.rpc.Help.
func Because(code codes.Code, err error) error {
	var help []string
	for _, r := range remedy.Of(err) {
		help = append(help, r.Text(nil))
	}
	if len(help) == 0 {
		return status.Error(code, err.Error())
	}
	return detailed(code, err.Error(), Help(help...))
}

// Help is the detail that says what would be accepted, or what to do: one link without an address for each text.
func Help(texts ...string) protoadapt.MessageV1 {
	help := &errdetails.Help{}
	for _, text := range texts {
		help.Links = append(help.Links, &errdetails.Help_Link{Description: text})
	}
	return help
}

// Remedies reads what a status says to do, from its google.rpc.Help.
func Remedies(err error) (all []remedy.Remedy) {
	for _, d := range status.Convert(err).Details() {
		if help, ok := d.(*errdetails.Help); ok {
			for _, link := range help.GetLinks() {
				all = append(all, remedy.Advice(strings.TrimSpace(link.GetDescription()+" "+link.GetUrl())))
			}
		}
	}
	return all
}

func detailed(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	st := status.New(code, message)
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st.Err()
}

// After is the detail that says when to try again.
func After(d time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// Quota is the detail that says which limit was reached.
func Quota(subject string, limit int64) protoadapt.MessageV1 {
	return &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: subject,
		Description: "the limit has been reached", QuotaValue: limit}}}
}

// Violation is the detail that says what is wrong with one field.
func Violation(field, description string) protoadapt.MessageV1 {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}}}
}

// Reason reads the reason of a refusal; empty for any other error.
func Reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == Domain {
			return info.GetReason()
		}
	}
	return ""
}

// RetryDelay is how long an error asks its caller to wait before another try.
func RetryDelay(err error) (time.Duration, bool) {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// localError is an error made in the process of the caller.
type localError struct{ error }

func (e localError) GRPCStatus() *status.Status { return status.Convert(e.error) }

func (e localError) Unwrap() error { return e.error }

// Local marks err as made in the process of the caller: the call never left it. The mark does not travel: when a server returns err to a
// caller of its own, that caller receives the same status without it.
func Local(err error) error {
	if err == nil {
		return nil
	}
	return localError{err}
}

// IsLocal reports whether err was made by Local in this process.
func IsLocal(err error) bool {
	var local localError
	return errors.As(err, &local)
}
