package rest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// received returns the metadata of the last call without what every gRPC client sends.
func (s *shop) received() metadata.MD {
	s.mu.Lock()
	defer s.mu.Unlock()
	md := s.metadata.Copy()
	for _, key := range []string{":authority", "content-type", "user-agent", "grpc-accept-encoding"} {
		delete(md, key)
	}
	return md
}

func TestHeaders_ForwardedOnce(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for name, r := range map[string]*http.Request{
		"GET": request("GET", "/v1/users/u-1", ""), "POST": request("POST", "/v1/orders", "{}"),
	} {
		r.Header.Set("x-request-id", "r-1")
		r.Header.Set("X-PARTNER", "acme")
		r.Header.Set("traceparent", parent)
		r.Header.Add("tracestate", "a=1")
		r.Header.Add("tracestate", "b=2")
		w := send(h, r)
		want := metadata.MD{"x-request-id": {"r-1"}, "x-partner": {"acme"}, "traceparent": {parent}, "tracestate": {"a=1,b=2"}}
		if diff := cmp.Diff(want, s.received()); diff != "" || w.Header().Get("X-Request-Id") != "r-1" {
			t.Errorf("%s: id %q, metadata (-want +got):\n%s", name, w.Header().Get("X-Request-Id"), diff)
		}
	}
}

// TestHeaders_SmugglingAttempts sends headers that other gateways turn into metadata. None of them may reach a service.
func TestHeaders_SmugglingAttempts(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for _, name := range []string{
		"Grpc-Metadata-X-Partner", "grpc-metadata-x-partner", "GRPC-METADATA-X-PARTNER", "Grpc-Metadata-X-Partner-Bin", "Grpc-Metadata-Grpc-Metadata-X-Partner",
		"Grpc-Metadata-Authorization", "Grpc-Metadata-Grpc-Timeout", "Grpcgateway-X-Partner", "X-Partner-Bin", "X_Partner", "X-Partner-", "X-Partners", "Grpc-Trailer-X-Partner",
		"Authorization", "Proxy-Authorization", "Cookie", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Client-Cert", "Forwarded", "Via", "From", "Origin", "Referer",
		"X-Http-Method-Override", "X-Serving-Pod", "X-Priority", "X-Fallback", "Baggage", "B3", "Grpc-Previous-Rpc-Attempts", "Grpc-Status", "Grpc-Encoding", "Te", "Trailer",
		"Connection", "Upgrade", "Accept-Encoding", "Expect", "User-Agent", "Grpc-Accept-Encoding", "Grpc-Tags-Bin", "Grpc-Trace-Bin", ":authority", "X-Partner ", "x-pàrtner",
	} {
		for _, method := range []string{"GET", "POST"} {
			target, body := "/v1/users/u-1", ""
			if method == "POST" {
				target, body = "/v1/users", "{}"
			}
			r := request(method, target, body, "X-Request-Id", "r-1", "X-Partner", "acme")
			r.Header[name] = []string{"smuggled", "ZXZpbA=="}
			r.Host, r.RemoteAddr = "smuggled.example.org", "203.0.113.7:80"
			before := s.count()
			send(h, r)
			if s.count() != before+1 {
				t.Errorf("%s %q: no call was made", method, name)
			}
			if diff := cmp.Diff(metadata.MD{"x-request-id": {"r-1"}, "x-partner": {"acme"}}, s.received()); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", method, name, diff)
			}
			if agent := strings.Join(s.metadata["user-agent"], ""); strings.Contains(agent, "smuggled") {
				t.Errorf("%s %q: the user agent is %q", method, name, agent)
			}
		}
	}
}

func TestHeaders_Refusals(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	long := strings.Repeat("x", longestHeader+1)
	for _, headers := range [][]string{
		{"X-Partner", "acme", "X-Partner", "evil"}, {"X-Partner", "acme", "x-partner", "acme"}, {"X-Partner", "ü"}, {"X-Partner", "a\x00"}, {"X-Partner", long},
		{"X-Request-Id", "a", "X-Request-Id", "b"}, {"X-Request-Id", "a b"}, {"X-Request-Id", ""}, {"X-Request-Id", "<\x01>"}, {"X-Request-Id", strings.Repeat("x", 129)},
		{"Traceparent", parent, "Traceparent", parent}, {"Tracestate", long}, {"Idempotency-Key", "a", "Idempotency-Key", "b"}, {"Idempotency-Key", "\xff"},
		{"Grpc-Timeout", ""}, {"Grpc-Timeout", "0S"}, {"Grpc-Timeout", "1"}, {"Grpc-Timeout", "S"}, {"Grpc-Timeout", "-1S"}, {"Grpc-Timeout", "1.5S"}, {"Grpc-Timeout", "1s"},
		{"Grpc-Timeout", "123456789S"}, {"Grpc-Timeout", "1S", "Grpc-Timeout", "1S"}, {"Grpc-Timeout", " 1S "},
		{"Request-Timeout", ""}, {"Request-Timeout", "0"}, {"Request-Timeout", "0.0"}, {"Request-Timeout", "-1"}, {"Request-Timeout", "1s"}, {"Request-Timeout", "1e3"},
		{"Request-Timeout", "NaN"}, {"Request-Timeout", "Inf"}, {"Request-Timeout", "1,5"}, {"Request-Timeout", "0.0000000001"}, {"Request-Timeout", "1", "Request-Timeout", "2"},
	} {
		p := problemOf(t, send(h, request("GET", "/v1/users/u-1", "", headers...)))
		if p.Code != "INVALID_ARGUMENT" || p.Reason != ReasonBadHeader || violation(p) != http.CanonicalHeaderKey(headers[0]) {
			t.Errorf("%q: %+v", headers, p)
		}
	}
	if s.count() != 0 {
		t.Errorf("%d calls were made", s.count())
	}
}

// TestHeaders_BadTraceParent starts a trace of its own, as W3C Trace Context requires, instead of refusing the request.
func TestHeaders_BadTraceParent(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for _, bad := range []string{"x", "", parent[:54], strings.ToUpper(parent), parent + "x"} {
		send(h, request("GET", "/v1/users/u-1", "", "X-Request-Id", "r-1", "Traceparent", bad, "Tracestate", "a=1"))
		if diff := cmp.Diff(metadata.MD{"x-request-id": {"r-1"}}, s.received()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", bad, diff)
		}
	}
}

func TestHeaders_RequestIDIsMade(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	seen := map[string]bool{}
	for range 10 {
		id := send(h, request("GET", "/v1/users/u-1", "")).Header().Get("X-Request-Id")
		if got := s.received()["x-request-id"]; len(id) < 16 || !slices.Equal(got, []string{id}) {
			t.Errorf("the id is %q in the answer and %q in the call", id, got)
		}
		seen[id] = true
	}
	if len(seen) != 10 {
		t.Errorf("10 requests have the ids %v", slices.Collect(maps.Keys(seen)))
	}
}

// TestHeaders_OfAnAnswer sends metadata that a partner must not see, in success and in errors.
func TestHeaders_OfAnAnswer(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	allowed := []string{"Cache-Control", "Content-Length", "Content-Type", "Retry-After", "X-Content-Type-Options", "X-Request-Id",
		// nginx removes these two.
		HeaderStatus, HeaderReason}
	for _, err := range []error{nil, refusal.New(codes.Unavailable, "X", "down", refusal.After(time.Second))} {
		s.err = func() error { return err }
		for _, r := range []*http.Request{request("GET", "/v1/users/u-1", "", "Te", "trailers"), request("POST", "/v1/orders", "{}", "Te", "trailers")} {
			w := send(h, r)
			for name := range w.Result().Header {
				if !slices.Contains(allowed, name) {
					t.Errorf("the answer has the header %s: %v", name, w.Result().Header)
				}
			}
			if len(w.Result().Trailer) > 0 || (err != nil) != (w.Header().Get("Retry-After") == "1") {
				t.Errorf("trailers %v, headers %v", w.Result().Trailer, w.Result().Header)
			}
		}
	}
}

func TestTimeout_BecomesTheDeadline(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for _, test := range []struct {
		headers []string
		want    time.Duration
	}{
		{nil, 0}, {[]string{"Grpc-Timeout", "5S"}, 5 * time.Second}, {[]string{"grpc-timeout", "90000m"}, 90 * time.Second}, {[]string{"Grpc-Timeout", "2M"}, 2 * time.Minute},
		{[]string{"Request-Timeout", "7"}, 7 * time.Second}, {[]string{"request-timeout", "2.5"}, 2500 * time.Millisecond},
		{[]string{"Request-Timeout", "7", "Grpc-Timeout", "3S"}, 3 * time.Second}, {[]string{"Request-Timeout", "3", "Grpc-Timeout", "7S"}, 3 * time.Second},
		{[]string{"Grpc-Timeout", "99999999H"}, longest}, {[]string{"Request-Timeout", "99999999"}, 99999999 * time.Second},
	} {
		w := send(h, request("GET", "/v1/users/u-1", "", test.headers...))
		if w.Code != http.StatusOK {
			t.Errorf("%v: %d %s", test.headers, w.Code, w.Body)
		}
		// The deadline travels as a whole number of at most 8 digits, so a long one is rounded up.
		if s.left/101 > test.want/100 || s.left < test.want-2*time.Second {
			t.Errorf("%v left %v of %v", test.headers, s.left, test.want)
		}
	}
}

func TestTimeout_Passes(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	release := make(chan struct{})
	defer close(release)
	s.err = func() error { <-release; return status.Error(codes.Internal, "late") }
	w := send(h, request("GET", "/v1/users/u-1", "", "Request-Timeout", "0.05"))
	if p := problemOf(t, w); p.Status != 504 || p.Code != "DEADLINE_EXCEEDED" {
		t.Errorf("%+v", p)
	}
}

func TestRequest_CallerIsGone(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, r := range []*http.Request{request("GET", "/v1/users/u-1", ""), request("POST", "/v1/orders", "{}")} {
		if p := problemOf(t, send(h, r.WithContext(ctx))); p.Status != 499 || p.Code != "CANCELLED" {
			t.Errorf("%+v", p)
		}
	}
}

func TestIdempotencyKey_FillsTheField(t *testing.T) {
	s := &shop{}
	h := s.serve(t)
	for _, test := range []struct{ method, target, body, key, want string }{
		{"POST", "/v1/orders", `{}`, "k-1", `/order.v1.OrderService/CreateOrder {"idempotencyKey":"k-1"}`},
		{"POST", "/v1/users", `{}`, "k-1", `/user.v1.UserService/CreateUser {"idempotencyKey":"k-1"}`},
		{"POST", "/v1/orders", `{"idempotencyKey": "k-1"}`, "k-1", `/order.v1.OrderService/CreateOrder {"idempotencyKey":"k-1"}`},
		{"POST", "/v1/orders", `{"idempotencyKey": "k-2"}`, "", `/order.v1.OrderService/CreateOrder {"idempotencyKey":"k-2"}`},
		{"GET", "/v1/orders/o-1", ``, "k-1", `/order.v1.OrderService/GetOrder {"orderId":"o-1"}`},
	} {
		r := request(test.method, test.target, test.body)
		if test.key != "" {
			r.Header.Set("Idempotency-Key", test.key)
		}
		if w := send(h, r); w.Code != 200 || s.last(t) != test.want {
			t.Errorf("%v: %d %s, call %s", test, w.Code, w.Body, s.last(t))
		}
		if _, sent := s.received()["idempotency-key"]; sent {
			t.Errorf("%v: the key is metadata, which no service reads", test)
		}
	}
	before := s.count()
	p := problemOf(t, send(h, request("POST", "/v1/orders", `{"idempotencyKey": "k-1"}`, "Idempotency-Key", "k-2")))
	if p.Code != "INVALID_ARGUMENT" || violation(p) != "idempotencyKey" || s.count() != before {
		t.Errorf("%+v", p)
	}
}

func TestGRPCTimeout_Units(t *testing.T) {
	for text, want := range map[string]time.Duration{"1H": time.Hour, "1M": time.Minute, "1S": time.Second, "1m": time.Millisecond, "1u": time.Microsecond, "1n": 1, "00000001S": time.Second} {
		if got, ok := grpcTimeout(text); !ok || got != want {
			t.Error(fmt.Sprint(text, got, ok))
		}
	}
}
