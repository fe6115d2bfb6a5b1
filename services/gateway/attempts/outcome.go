package attempts

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// Outcome is what the gateway does.
type Outcome struct {
	// Text is one of
	//
	//	grpc CODE [REASON]                                an answer in the form of gRPC
	//	rest STATUS CODE REASON application/problem+json  a refusal in REST
	//	rest STATUS MEDIA-TYPE                            another answer in REST
	//	alert TEXT                                        an alert of TLS
	//	goaway CODE, rst CODE                             the end of a connection or a stream of HTTP/2
	//	closed                                            the end of a TCP connection
	Text string
	// RequestID is that of the answer, and Reason its reason; empty without an answer.
	RequestID, Reason string
	// Body is the beginning of the answer's body.
	Body string
}

// answer is a response of HTTP. The status is 0 in HTTP/0.9, which has neither a status nor headers.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// outcome describes an answer.
func (a answer) outcome() Outcome {
	out := Outcome{RequestID: a.header.Get("X-Request-Id"), Body: string(a.body[:min(len(a.body), 4<<10)])}
	media, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	if strings.HasPrefix(media, "application/grpc") {
		n, err := strconv.Atoi(a.header.Get("Grpc-Status"))
		name := code.Code_name[int32(n)] //nolint:gosec // a status has two digits
		if err != nil || a.status != http.StatusOK {
			name = fmt.Sprintf("without a status, HTTP %d", a.status)
		}
		out.Reason = reasonOf(a.header.Get("Grpc-Status-Details-Bin"))
		out.Text = strings.TrimSpace("grpc " + name + " " + out.Reason)
		return out
	}
	var problem struct {
		Status                  int
		Code, Reason, RequestID string
	}
	if (media == "application/problem+json" || a.status == 0) && json.Unmarshal(a.body, &problem) == nil && (problem.Status == a.status || a.status == 0) {
		out.Reason = problem.Reason
		if out.RequestID == "" {
			out.RequestID = problem.RequestID
		}
		out.Text = strings.TrimSpace(fmt.Sprintf("rest %d %s %s %s", a.status, problem.Code, problem.Reason, media))
		return out
	}
	out.Text = strings.TrimSpace(fmt.Sprintf("rest %d %s", a.status, media))
	return out
}

// reasonOf returns the reason in the details of a status.
func reasonOf(encoded string) string {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
	var s rpcstatus.Status
	if err != nil || proto.Unmarshal(data, &s) != nil {
		return "UNREADABLE"
	}
	for _, d := range s.GetDetails() {
		var info errdetails.ErrorInfo
		if d.UnmarshalTo(&info) == nil {
			return info.GetReason()
		}
	}
	return ""
}

// HasHTML reports whether the body is a page.
func (o Outcome) HasHTML() bool {
	return bytes.Contains(bytes.ToLower([]byte(o.Body)), []byte("<html"))
}

// failed describes the end of a connection. An end that the attempt itself has caused by its time limit is an error.
func failed(err error) (Outcome, error) {
	var broken *net.OpError
	if errors.As(err, &broken) && broken.Op == "remote error" {
		return Outcome{Text: "alert " + strings.TrimPrefix(broken.Err.Error(), "tls: ")}, nil
	}
	if broken != nil && broken.Op == "dial" {
		return Outcome{}, err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return Outcome{}, fmt.Errorf("waiting for the gateway: %w", err)
	}
	return Outcome{Text: "closed"}, nil
}
