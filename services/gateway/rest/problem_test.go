package rest

import (
	"encoding/json"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// violation returns the field in the google.rpc.BadRequest of a problem.
func violation(p problem) string {
	for _, d := range p.Details {
		var bad struct {
			FieldViolations []struct{ Field string }
		}
		if json.Unmarshal(d, &bad) == nil && len(bad.FieldViolations) > 0 {
			return bad.FieldViolations[0].Field
		}
	}
	return ""
}

func TestErrors_EveryCode(t *testing.T) {
	want := map[codes.Code]int{
		codes.Canceled: 499, codes.Unknown: 500, codes.InvalidArgument: 400, codes.DeadlineExceeded: 504, codes.NotFound: 404, codes.AlreadyExists: 409,
		codes.PermissionDenied: 403, codes.ResourceExhausted: 429, codes.FailedPrecondition: 400, codes.Aborted: 409, codes.OutOfRange: 400,
		codes.Unimplemented: 501, codes.Internal: 500, codes.Unavailable: 503, codes.DataLoss: 500, codes.Unauthenticated: 401,
	}
	s := &shop{}
	h := s.serve(t)
	for c := codes.Canceled; c <= codes.Unauthenticated; c++ {
		s.err = func() error {
			return refusal.New(c, "OUT_OF_STOCK", "sku-1 <is> “out”", refusal.Violation("lines[0].sku", "is out of stock"), refusal.After(1500*time.Millisecond))
		}
		w := send(h, request("POST", "/v1/orders", `{"userId": "u-1"}`, "X-Request-Id", "r-1"))
		p := problemOf(t, w)
		if p.Status != want[c] || p.Code != codeName(c) || p.Reason != "OUT_OF_STOCK" || p.Detail != "sku-1 <is> “out”" || p.RequestID != "r-1" {
			t.Errorf("%v: %+v", c, p)
		}
		if violation(p) != "lines[0].sku" || len(p.Details) != 3 || w.Header().Get("Retry-After") != "2" {
			t.Errorf("%v: Retry-After %q, %s", c, w.Header().Get("Retry-After"), p.Details)
		}
	}
}

func TestProblem_Golden(t *testing.T) {
	st := status.Convert(refusal.New(codes.ResourceExhausted, refusal.ReasonRateLimited, "partner acme made more than 10 calls per second",
		refusal.Quota("partner acme", 10), refusal.After(2*time.Second)))
	w := httptest.NewRecorder()
	Problem(w, request("GET", "/v1/users/u-42", "", "X-Request-Id", "7f3a"), st)
	var text strings.Builder
	must(t, w.Result().Header.Write(&text))
	var body map[string]any
	must(t, json.Unmarshal(w.Body.Bytes(), &body))
	pretty, err := json.MarshalIndent(body, "", "  ")
	must(t, err)
	golden(t, "problem.golden", strings.ReplaceAll(text.String(), "\r\n", "\n")+"\n"+w.Body.String()+"\n"+string(pretty)+"\n")
}

func TestProblem_Details(t *testing.T) {
	packed := func(m proto.Message) *anypb.Any {
		d, err := anypb.New(m)
		must(t, err)
		return d
	}
	tests := []struct {
		name   string
		detail *anypb.Any
		want   string
	}{
		{"known type", packed(&errdetails.RequestInfo{RequestId: "x"}), `{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"x"}`},
		{"well-known type", packed(durationpb.New(time.Second)), `{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}`},
		{"type that is not linked", &anypb.Any{TypeUrl: "type.googleapis.com/none.Such", Value: []byte{1, 2, 255}}, `{"@type":"type.googleapis.com/none.Such","value":"AQL/"}`},
		{"damaged bytes", &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: []byte{0x0a, 0xff}}, `{"@type":"type.googleapis.com/google.rpc.RetryInfo","value":"Cv8="}`},
		{"no type", &anypb.Any{}, `{}`},
		{"name that is not UTF-8", &anypb.Any{TypeUrl: "\xff"}, `{"@type":"\ufffd","value":null}`},
		{"value that has no JSON form", packed(&durationpb.Duration{Seconds: math.MaxInt64}),
			`{"@type":"type.googleapis.com/google.protobuf.Duration","value":"CP//////////fw=="}`},
		{"debug information stays inside", packed(&errdetails.DebugInfo{StackEntries: []string{"main.go:1"}}), ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Problem(w, request("GET", "/", ""), status.FromProto(&rpcstatus.Status{Code: int32(codes.Aborted), Details: []*anypb.Any{test.detail}}))
			var got string
			for _, d := range problemOf(t, w).Details {
				got += string(d)
			}
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestProblem_RetryAfter(t *testing.T) {
	for delay, want := range map[*durationpb.Duration]string{
		durationpb.New(time.Nanosecond): "1", durationpb.New(time.Second): "1", durationpb.New(1001 * time.Millisecond): "2", durationpb.New(0): "0",
		durationpb.New(-time.Second): "0", {Seconds: math.MaxInt64}: "9223372037", nil: "0",
	} {
		st, err := status.New(codes.Unavailable, "").WithDetails(&errdetails.RetryInfo{RetryDelay: delay})
		must(t, err)
		w := httptest.NewRecorder()
		Problem(w, request("GET", "/", ""), st)
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v is Retry-After %q, want %q", delay, got, want)
		}
		problemOf(t, w)
	}
}

func TestProblem_UnusualStatus(t *testing.T) {
	for _, st := range []*status.Status{nil, status.New(codes.OK, "fine"), status.New(codes.Code(4711), "odd"), status.New(codes.Internal, "\xff\x00")} {
		w := httptest.NewRecorder()
		Problem(w, request("GET", "/", ""), st)
		if p := problemOf(t, w); p.Status != 500 || p.Code == "OK" {
			t.Errorf("%v: %+v", st, p)
		}
	}
}

// TestReasons_DecideTheStatus covers what the agent answers for nginx.
func TestReasons_DecideTheStatus(t *testing.T) {
	for _, reason := range Reasons() {
		w := httptest.NewRecorder()
		Problem(w, request("GET", "/", ""), status.Convert(refusal.New(reason.Code, reason.Name, reason.Meaning)))
		if p := problemOf(t, w); p.Status != reason.Status || p.Reason != reason.Name || p.Code != codeName(reason.Code) {
			t.Errorf("%+v", p)
		}
	}
	foreign, err := status.New(codes.Internal, "").WithDetails(&errdetails.ErrorInfo{Reason: ReasonBodyTooLarge, Domain: "example.org"})
	must(t, err)
	w := httptest.NewRecorder()
	if Problem(w, request("GET", "/", ""), foreign); w.Code != 500 {
		t.Errorf("the reason of another domain made the status %d", w.Code)
	}
}
