package rest

import (
	"crypto/rand"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// The headers that become part of a call. All others of a caller are ignored, in any spelling.
const (
	headerRequestID   = "X-Request-Id"
	headerPartner     = "X-Partner"
	headerTraceParent = "Traceparent"
	headerTraceState  = "Tracestate"
	headerKey         = "Idempotency-Key"
	headerGRPCTimeout = "Grpc-Timeout"
	headerTimeout     = "Request-Timeout"
)

// forwarded are the headers that services receive as metadata.
var forwarded = []string{headerRequestID, headerPartner, headerTraceParent, headerTraceState}

// longestHeader is the largest length of a value that is forwarded.
const longestHeader = 1024

// newCall reads the headers of a request.
func newCall(header http.Header, values []string) (*call, error) {
	c := &call{metadata: metadata.MD{}, values: values}
	for _, name := range forwarded {
		value, err := single(header, name)
		if err != nil {
			return nil, err
		}
		if value != "" {
			c.metadata.Set(name, value)
		}
	}
	// W3C Trace Context: without a valid parent, the trace starts here, and a state belongs to its parent.
	if parent := c.metadata.Get(headerTraceParent); len(parent) == 0 || !goodTraceParent.MatchString(parent[0]) {
		c.metadata.Delete(headerTraceParent)
		c.metadata.Delete(headerTraceState)
	}
	var err error
	if c.key, err = single(header, headerKey); err != nil {
		return nil, err
	}
	c.timeout, err = timeout(header)
	return c, err
}

var goodTraceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$`)

// single returns the value of a header, and "" if there is none. Only the list of a trace state may be split among several lines.
func single(header http.Header, name string) (string, error) {
	values := header.Values(name)
	value := strings.Join(values, ",")
	switch {
	case len(values) > 1 && name != headerTraceState:
		return "", badHeader(name, "is given more than once")
	case len(value) > longestHeader:
		return "", badHeader(name, fmt.Sprintf("is longer than %d characters", longestHeader))
	case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }):
		return "", badHeader(name, "has characters other than printable ASCII")
	}
	return value, nil
}

func badHeader(name, description string) error { return badField(ReasonBadHeader, name, description) }

// timeouts are the headers with a deadline.
var timeouts = []struct {
	header, form string
	parse        func(string) (time.Duration, bool)
}{
	{headerGRPCTimeout, "timeout of gRPC, such as 500m or 2S", grpcTimeout},
	{headerTimeout, "number of seconds, such as 2 or 0.5", seconds},
}

// timeout returns the shortest timeout, and 0 if there is none.
func timeout(header http.Header) (shortest time.Duration, err error) {
	for _, t := range timeouts {
		text, err := single(header, t.header)
		if err != nil {
			return 0, err
		}
		if len(header.Values(t.header)) == 0 {
			continue
		}
		d, ok := t.parse(text)
		if !ok {
			return 0, badHeader(t.header, fmt.Sprintf("%q is not a positive %s", text, t.form))
		}
		if shortest == 0 || d < shortest {
			shortest = d
		}
	}
	return shortest, nil
}

var (
	goodGRPCTimeout = regexp.MustCompile(`^([0-9]{1,8})([HMSmun])$`)
	goodSeconds     = regexp.MustCompile(`^[0-9]{1,8}(\.[0-9]{1,9})?$`)
	units           = map[string]time.Duration{"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond}
)

// grpcTimeout reads a timeout as the protocol gRPC over HTTP/2 defines it. One that is too long for a Duration is as long as possible.
func grpcTimeout(text string) (time.Duration, bool) {
	parts := goodGRPCTimeout.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	unit := units[parts[2]]
	if err == nil && n > int64(longest/unit) {
		return longest, true
	}
	return time.Duration(n) * unit, err == nil && n > 0
}

const longest = time.Duration(1<<63 - 1)

func seconds(text string) (time.Duration, bool) {
	if !goodSeconds.MatchString(text) {
		return 0, false
	}
	d, err := time.ParseDuration(text + "s")
	return d, err == nil && d > 0
}

var goodRequestID = regexp.MustCompile(`^[!-~]{1,128}$`)

// requestID returns the id of a request, and "" if it has none, several or a bad one.
func requestID(r *http.Request) string {
	ids := r.Header.Values(headerRequestID)
	if len(ids) != 1 || !goodRequestID.MatchString(ids[0]) {
		return ""
	}
	return ids[0]
}

// withRequestID returns a copy of the request with an id of its own if it has none.
func withRequestID(r *http.Request) (*http.Request, error) {
	if len(r.Header.Values(headerRequestID)) > 0 {
		if requestID(r) == "" {
			return r, badHeader(headerRequestID, "is not one text of at most 128 printable characters without spaces")
		}
		return r, nil
	}
	r = r.WithContext(r.Context())
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(headerRequestID, strings.ToLower(rand.Text()))
	return r, nil
}

// checkContent refuses a body that is not plain JSON.
func checkContent(header http.Header) error {
	content := header.Get("Content-Type")
	media, parameters, err := mime.ParseMediaType(content)
	charset := parameters["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refusal.New(codes.InvalidArgument, ReasonUnsupportedMediaType, fmt.Sprintf("the body has the Content-Type %q; want application/json", content))
	}
	if coding := header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refusal.New(codes.InvalidArgument, ReasonUnsupportedMediaType, fmt.Sprintf("the body has the Content-Encoding %q, which is not supported", coding))
	}
	return nil
}
