package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// problem is a document of the type application/problem+json, with its members in this order.
type problem struct {
	Type      string            `json:"type"`
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail"`
	Code      string            `json:"code"`
	Reason    string            `json:"reason,omitempty"`
	RequestID string            `json:"requestId,omitempty"`
	Details   []json.RawMessage `json:"details,omitempty"`
}

// The headers of a problem in which nginx finds the gRPC code and the reason for its access log. It removes them.
const (
	HeaderStatus = "X-Grpc-Status"
	HeaderReason = "X-Grpc-Reason"
)

// Problem answers a request with a problem document. The HTTP status follows from the code, or from the reason if it is one of Reasons. A
// RetryInfo becomes the header Retry-After. r provides the request id and is not changed. A status OK is no error, so it is answered as UNKNOWN.
func Problem(w http.ResponseWriter, r *http.Request, st *status.Status) {
	if st.Code() == codes.OK {
		st = status.New(codes.Unknown, "the error has no code")
	}
	p := problem{
		Type: "about:blank", Status: runtime.HTTPStatusFromCode(st.Code()), Detail: st.Message(), Code: codeName(st.Code()), RequestID: requestID(r),
	}
	for _, d := range st.Proto().GetDetails() {
		if d.MessageIs(&errdetails.DebugInfo{}) {
			continue
		}
		p.Details = append(p.Details, detailJSON(d))
	}
	for _, d := range st.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			p.Reason = d.GetReason()
			if own, ok := statusOfReason(d); ok {
				p.Status = own
			}
		case *errdetails.RetryInfo:
			w.Header().Set("Retry-After", retryAfter(d.GetRetryDelay().AsDuration()))
		}
	}
	p.Title = title(p.Status)
	w.Header().Set(HeaderStatus, strconv.Itoa(int(st.Code())))
	if p.Reason != "" {
		w.Header().Set(HeaderReason, p.Reason)
	}
	writeProblem(w, p)
}

func writeProblem(w http.ResponseWriter, p problem) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(p); err != nil {
		// The details are valid JSON and everything else is text, so this does not happen.
		p.Details = nil
		text.Reset()
		_ = encoder.Encode(p)
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Content-Length", strconv.Itoa(text.Len()))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(text.Bytes())
}

// detailJSON returns a detail in its JSON form. One that has none, because its type is not linked or its bytes are damaged, keeps its bytes.
func detailJSON(d *anypb.Any) json.RawMessage {
	if text, err := protojson.Marshal(d); err == nil {
		var compact bytes.Buffer
		if json.Compact(&compact, text) == nil {
			return compact.Bytes()
		}
	}
	text, _ := json.Marshal(map[string]any{"@type": d.GetTypeUrl(), "value": d.GetValue()})
	return text
}

// retryAfter returns a delay in whole seconds, rounded up.
func retryAfter(d time.Duration) string {
	return strconv.FormatInt(max(0, int64(math.Ceil(d.Seconds()))), 10)
}

// codeName returns the name of a code in the protocol. Codes that the protocol does not define are UNKNOWN.
func codeName(c codes.Code) string {
	if name, ok := code.Code_name[int32(c)]; ok {
		return name
	}
	return code.Code_UNKNOWN.String()
}

func title(httpStatus int) string {
	if httpStatus == statusClientClosed {
		return "Client Closed Request"
	}
	return http.StatusText(httpStatus)
}

// statusClientClosed is the status of CANCELLED, which net/http does not name.
const statusClientClosed = 499

// bytesOf returns a size in bytes, or in MiB or KiB if it is a whole number of them.
func bytesOf(n int64) string {
	for i, unit := range []string{"MiB", "KiB"} {
		if size := int64(1) << (20 - 10*i); n >= size && n%size == 0 {
			return fmt.Sprintf("%d %s", n/size, unit)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

func statusOfReason(info *errdetails.ErrorInfo) (int, bool) {
	for _, r := range Reasons() {
		if info.GetDomain() == refusal.Domain && info.GetReason() == r.Name {
			return r.Status, true
		}
	}
	return 0, false
}
