// Package refusal makes and reads the errors with which a service refuses a call: a gRPC code, a sentence for people, and details of
// google.rpc for programs.
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

// Domain is the domain in the ErrorInfo of every refusal.
const Domain = "sandbox.dev"

// New returns an error with a reason in its ErrorInfo. A reason is UPPER_SNAKE_CASE; each case that a caller may want to distinguish has its own.
func New(code codes.Code, reason, message string, more ...protoadapt.MessageV1) error {
	return detailed(code, message, append([]protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: reason, Domain: Domain}}, more...)...)
}

// Fields returns INVALID_ARGUMENT with a violation for each field. The message names the first one.
func Fields(violations ...*errdetails.BadRequest_FieldViolation) error {
	message := "the request is malformed"
	if len(violations) > 0 {
		message = violations[0].GetField() + ": " + violations[0].GetDescription()
	}
	return detailed(codes.InvalidArgument, message, &errdetails.BadRequest{FieldViolations: violations})
}

// Field returns INVALID_ARGUMENT for one field, with more details.
func Field(name, description string, more ...protoadapt.MessageV1) error {
	return detailed(codes.InvalidArgument, name+": "+description, append([]protoadapt.MessageV1{Violation(name, description)}, more...)...)
}

// Because returns a status with the text of err. The remedies of err travel in a google.rpc.Help.
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

// Help returns the detail that says what would be accepted, or what to do. Each text becomes a link without an address.
func Help(texts ...string) protoadapt.MessageV1 {
	help := &errdetails.Help{}
	for _, text := range texts {
		help.Links = append(help.Links, &errdetails.Help_Link{Description: text})
	}
	return help
}

// Remedies returns the remedies in the google.rpc.Help of a status.
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

// After returns the detail that tells a caller when to retry.
func After(d time.Duration) protoadapt.MessageV1 {
	return &errdetails.RetryInfo{RetryDelay: durationpb.New(d)}
}

// Quota returns the detail that names the limit which was reached.
func Quota(subject string, limit int64) protoadapt.MessageV1 {
	return &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: subject,
		Description: "the limit has been reached", QuotaValue: limit}}}
}

// Violation returns the detail that describes what is wrong with one field.
func Violation(field, description string) protoadapt.MessageV1 {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: description}}}
}

// Reason returns the reason of a refusal, and "" for any other error.
func Reason(err error) string {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetDomain() == Domain {
			return info.GetReason()
		}
	}
	return ""
}

// RetryDelay returns how long a caller should wait before it retries, if the error has that detail.
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

// GRPCStatus returns the status of the wrapped error.
func (e localError) GRPCStatus() *status.Status { return status.Convert(e.error) }

// Unwrap returns the wrapped error.
func (e localError) Unwrap() error { return e.error }

// Local marks err as made in the process of the caller: the call never reached the network. The mark is not transmitted: if a server returns
// err to its own caller, that caller receives the status without the mark.
func Local(err error) error {
	if err == nil {
		return nil
	}
	return localError{err}
}

// IsLocal reports whether err was marked by Local in this process.
func IsLocal(err error) bool {
	var local localError
	return errors.As(err, &local)
}
