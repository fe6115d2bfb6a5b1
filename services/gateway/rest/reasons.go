package rest

import (
	"net/http"

	"google.golang.org/grpc/codes"
)

// The reasons of requests that are refused before they are calls. The agent uses those at the end for what nginx refuses.
const (
	ReasonUnknownRoute         = "UNKNOWN_ROUTE"
	ReasonMethodNotAllowed     = "METHOD_NOT_ALLOWED"
	ReasonUnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	ReasonMalformedPath        = "MALFORMED_PATH"
	ReasonMalformedBody        = "MALFORMED_BODY"
	ReasonMalformedQuery       = "MALFORMED_QUERY"
	ReasonUnknownField         = "UNKNOWN_FIELD"
	ReasonBadHeader            = "BAD_HEADER"
	ReasonBodyTooLarge         = "BODY_TOO_LARGE"
	ReasonRequestTimeout       = "REQUEST_TIMEOUT"
	ReasonURITooLong           = "URI_TOO_LONG"
	ReasonHeadersTooLarge      = "HEADERS_TOO_LARGE"
)

// Reason describes a reason.
type Reason struct {
	// Name is the reason in the ErrorInfo of the error. Code is its gRPC code.
	Name string
	Code codes.Code
	// Status is the HTTP status, which is more exact than that of the code.
	Status int
	// Meaning explains the reason in the documentation.
	Meaning string
}

// Reasons returns the reasons in the order of the documentation.
func Reasons() []Reason {
	return []Reason{
		{ReasonUnknownRoute, codes.NotFound, http.StatusNotFound, "no operation has this path"},
		{ReasonMethodNotAllowed, codes.Unimplemented, http.StatusMethodNotAllowed, "no operation has this path with this method; `Allow` lists the methods"},
		{ReasonUnsupportedMediaType, codes.InvalidArgument, http.StatusUnsupportedMediaType, "the body is not `application/json`, or is compressed"},
		{ReasonMalformedPath, codes.InvalidArgument, http.StatusBadRequest, "the path is not UTF-8"},
		{ReasonMalformedBody, codes.InvalidArgument, http.StatusBadRequest, "the body is not JSON, or a value does not fit its field; `detail` has line and column"},
		{ReasonMalformedQuery, codes.InvalidArgument, http.StatusBadRequest, "a query parameter is given twice or has a bad value"},
		{ReasonUnknownField, codes.InvalidArgument, http.StatusBadRequest, "the body or the query has a field that the operation does not have"},
		{ReasonBadHeader, codes.InvalidArgument, http.StatusBadRequest, "a header that belongs to the call has a bad value or is given twice"},
		{ReasonBodyTooLarge, codes.InvalidArgument, http.StatusRequestEntityTooLarge, "the body is larger than the limit"},
		{ReasonRequestTimeout, codes.InvalidArgument, http.StatusRequestTimeout, "the request did not arrive in time"},
		{ReasonURITooLong, codes.InvalidArgument, http.StatusRequestURITooLong, "the address is longer than the limit"},
		{ReasonHeadersTooLarge, codes.InvalidArgument, http.StatusRequestHeaderFieldsTooLarge, "the headers are larger than the limit"},
	}
}
