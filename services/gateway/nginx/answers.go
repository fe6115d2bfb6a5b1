package nginx

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// answer is what nginx answers without asking a service.
type answer struct {
	// Name is the last part of the internal address.
	Name string
	// HTTP are the status codes of nginx that lead to it, such as "495 496".
	HTTP string
	// Status is the HTTP status for a request of REST, Code the gRPC code.
	Status int
	Code   codes.Code
	// Reason is that of the ErrorInfo, Message a sentence for people. Both may be variables of nginx.
	Reason, Message string
	// Details is what grpc-status-details-bin has, in Base64; it may be a variable.
	Details string
	// Retry means that the answer says when to try again.
	Retry bool
}

// CodeName is the name of the gRPC code.
func (r answer) CodeName() string { return code.Code(r.Code).String() }

// Title is the standard text of the HTTP status.
func (r answer) Title() string { return http.StatusText(r.Status) }

// Problem is the problem document, in which nginx replaces variables.
func (r answer) Problem() string {
	doc, err := json.Marshal(struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		Code      string `json:"code"`
		Reason    string `json:"reason"`
		RequestID string `json:"requestId"`
	}{"about:blank", r.Title(), r.Status, r.Message, r.CodeName(), r.Reason, "$id"})
	if err != nil {
		// It consists of texts and a number.
		panic(err)
	}
	return string(doc)
}

// The reasons in the ErrorInfo of what the gateway refuses. The README of the gateway explains each of them.
const (
	ReasonCertificateMissing  = "CERTIFICATE_MISSING"
	ReasonCertificateRevoked  = "CERTIFICATE_REVOKED"
	ReasonCertificateExpired  = "CERTIFICATE_EXPIRED"
	ReasonCertificateTooEarly = "CERTIFICATE_NOT_YET_VALID"
	ReasonCertificateForeign  = "CERTIFICATE_NOT_TRUSTED"
	ReasonRevocationsUnknown  = "REVOCATIONS_UNKNOWN"
	ReasonPartnerName         = "PARTNER_NAME"
	ReasonBadRequest          = "BAD_REQUEST"
	ReasonHeadersTooLarge     = "HEADERS_TOO_LARGE"
	ReasonBodyTooLarge        = "BODY_TOO_LARGE"
	// ReasonBodyTimeout is in the access log only: nginx ends such a request without an answer.
	ReasonBodyTimeout      = "BODY_TIMEOUT"
	ReasonUnknownMethod    = "UNKNOWN_METHOD"
	ReasonMethodNotAllowed = "METHOD_NOT_ALLOWED"
	ReasonUnavailable      = "SERVICE_UNAVAILABLE"
	ReasonUpstreamTimeout  = "SERVICE_TIMEOUT"
	ReasonInternal         = "GATEWAY_ERROR"
)

func answers() []answer {
	all := []answer{
		{Name: "unauthenticated", HTTP: "495 496", Status: 401, Code: codes.Unauthenticated, Reason: "$tls_reason", Message: "$tls_message", Details: "$tls_details"},
		{Name: "partner", Status: 403, Code: codes.PermissionDenied, Reason: ReasonPartnerName,
			Message: "the common name of the certificate is not the name of a partner: 1 to 40 lower-case letters, digits and hyphens"},
		{Name: "exhausted", HTTP: "429", Status: 429, Code: codes.ResourceExhausted, Reason: refusal.ReasonRateLimited,
			Message: "the limit of the gateway is reached", Details: "$retry_details", Retry: true},
		{Name: "malformed", HTTP: "400 411 412 415 416 417 421 422 426 497 501 505", Status: 400, Code: codes.InvalidArgument, Reason: ReasonBadRequest,
			Message: "the request is malformed"},
		{Name: "headers", HTTP: "414 431 494", Status: 431, Code: codes.InvalidArgument, Reason: ReasonHeadersTooLarge, Message: "the headers are larger than 32 KiB, or one of them larger than 8 KiB"},
		{Name: "body", HTTP: "413", Status: 413, Code: codes.InvalidArgument, Reason: ReasonBodyTooLarge, Message: "the body is larger than 4 MiB"},
		{Name: "unknown", HTTP: "403 404", Status: 404, Code: codes.Unimplemented, Reason: ReasonUnknownMethod, Message: "the gateway has no such method"},
		{Name: "verb", HTTP: "405", Status: 405, Code: codes.Unimplemented, Reason: ReasonMethodNotAllowed, Message: "the address does not have this HTTP method"},
		{Name: "unavailable", HTTP: "502 503", Status: 503, Code: codes.Unavailable, Reason: ReasonUnavailable, Message: "the service cannot be reached"},
		{Name: "timeout", HTTP: "504", Status: 504, Code: codes.DeadlineExceeded, Reason: ReasonUpstreamTimeout, Message: "the service has not answered in time"},
		{Name: "internal", HTTP: "500 507", Status: 500, Code: codes.Internal, Reason: ReasonInternal, Message: "the gateway has failed"},
	}
	for i, r := range all {
		if r.Details == "" {
			all[i].Details = detailsOf(r.Code, r.Reason, r.Message)
		}
	}
	return all
}

// reason is why a certificate is refused, by a regular expression of what nginx says.
type reason struct{ Pattern, Reason, Message, Details string }

func reasons() []reason {
	all := []reason{
		{Pattern: "~^self-signed ", Reason: ReasonCertificateForeign, Message: "the certificate was not issued by the authority of the partners"},
		{Pattern: "NONE", Reason: ReasonCertificateMissing, Message: "a client certificate is needed"},
		{Pattern: "~revoked", Reason: ReasonCertificateRevoked, Message: "the certificate was revoked"},
		{Pattern: "~certificate has expired", Reason: ReasonCertificateExpired, Message: "the certificate has expired"},
		{Pattern: "~certificate is not yet valid", Reason: ReasonCertificateTooEarly, Message: "the certificate is not valid yet"},
		{Pattern: "~CRL (has expired|is not yet valid|signature failure)", Reason: ReasonRevocationsUnknown, Message: "the gateway cannot check whether the certificate was revoked"},
		{Pattern: "default", Reason: ReasonCertificateForeign, Message: "the certificate was not issued by the authority of the partners"},
	}
	for i, r := range all {
		all[i].Details = detailsOf(codes.Unauthenticated, r.Reason, r.Message)
	}
	return all
}

// detailsOf returns a status with an ErrorInfo as a header of gRPC has it.
func detailsOf(c codes.Code, reason, message string, more ...proto.Message) string {
	s := &rpcstatus.Status{Code: int32(c), Message: message} //nolint:gosec // codes are small
	for _, m := range append([]proto.Message{&errdetails.ErrorInfo{Reason: reason, Domain: refusal.Domain}}, more...) {
		packed, err := anypb.New(m)
		if err != nil {
			// The messages are linked.
			panic(err)
		}
		s.Details = append(s.Details, packed)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		panic(err)
	}
	return base64.RawStdEncoding.EncodeToString(data)
}

func retryDetails(seconds int) string {
	return detailsOf(codes.ResourceExhausted, refusal.ReasonRateLimited, "the limit of the gateway is reached",
		&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(seconds) * time.Second)})
}
