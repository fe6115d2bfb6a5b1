package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

func TestEntry_Code(t *testing.T) {
	for _, c := range []struct {
		name string
		line entry
		want codes.Code
	}{
		{"the status in the trailer", entry{Form: "grpc", Status: "200", GRPCStatus: []string{"", "5", "", ""}}, codes.NotFound},
		{"the first status that is set", entry{Form: "grpc", Status: "200", GRPCStatus: []string{"16", "0", "", ""}}, codes.Unauthenticated},
		{"a status that does not exist", entry{Form: "grpc", Status: "200", GRPCStatus: []string{"17"}}, codes.Unavailable},
		{"gRPC without a status", entry{Form: "grpc", Status: "200"}, codes.Unavailable},
		{"REST that succeeds", entry{Form: "rest", Status: "201"}, codes.OK},
		{"a partner that has left", entry{Form: "grpc", Status: "499"}, codes.Canceled},
		{"400", entry{Status: "400"}, codes.InvalidArgument},
		{"401", entry{Status: "401"}, codes.Unauthenticated},
		{"403", entry{Status: "403"}, codes.PermissionDenied},
		{"404", entry{Status: "404"}, codes.Unimplemented},
		{"405", entry{Status: "405"}, codes.Unimplemented},
		{"408", entry{Status: "408"}, codes.InvalidArgument},
		{"429", entry{Status: "429"}, codes.ResourceExhausted},
		{"502", entry{Status: "502"}, codes.Unavailable},
		{"503", entry{Status: "503"}, codes.Unavailable},
		{"504", entry{Status: "504"}, codes.DeadlineExceeded},
		{"500", entry{Status: "500"}, codes.Internal},
		{"no status", entry{}, codes.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.line.code(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestEntry_Took(t *testing.T) {
	for text, want := range map[string]time.Duration{"0.012": 12 * time.Millisecond, "1.500": 1500 * time.Millisecond, "-": 0, "": 0} {
		if got := (entry{Seconds: text}).took(); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// received is an access log whose records, spans and metrics a test can read.
type received struct {
	accessLog
	text  *bytes.Buffer
	spans *tracetest.SpanRecorder
}

func newReceived(t *testing.T) received {
	t.Helper()
	m := governance.NewMetrics()
	own, err := newMetrics(m.Registerer, nginx.New("nginx", t.TempDir(), slog.New(slog.DiscardHandler)))
	must(t, err)
	text, spans := &bytes.Buffer{}, tracetest.NewSpanRecorder()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithIDGenerator(givenIDs{}))
	return received{accessLog{log: slog.New(slog.NewTextHandler(text, nil)), metrics: m, own: own, tracer: tracing.Tracer("gateway"),
		known: map[string]callee{"a.B/C": {"b", nginx.Method{Name: "a.B/C"}}}}, text, spans}
}

// TestAccessLog_BurstIsNotLost sends lines while nothing reads them, as nginx does while the agent is busy, and then ends.
func TestAccessLog_BurstIsNotLost(t *testing.T) {
	r := newReceived(t)
	var err error
	r.conn, err = listenForLines()
	must(t, err)
	sender, err := net.Dial("udp4", r.conn.LocalAddr().String())
	must(t, err)
	defer func() { _ = sender.Close() }()
	const lines = 100
	for range lines {
		_, err := fmt.Fprintf(sender, `<190>gateway: {"partner":"acme","form":"grpc","method":"a.B/C","status":"200","grpcStatus":["0"],"request":"POST /%s"}`, strings.Repeat("x", 400))
		must(t, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	must(t, r.receive(ended))
	if got := r.metric(t, "sandbox_gateway_requests_total", "partner acme"); got != lines {
		t.Errorf("%v of %d lines were counted", got, lines)
	}
}

// metric returns the sum of a metric over the series that have all labels, each as name and value.
func (r received) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := r.metrics.Gatherer.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var all []string
			for _, l := range m.GetLabel() {
				all = append(all, l.GetName()+" "+l.GetValue())
			}
			if !slices.ContainsFunc(labels, func(wanted string) bool { return !slices.Contains(all, wanted) }) {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	spanID   = "00f067aa0ba902b7"
	parentID = "b7ad6b7169203331"
)

// written returns a line as nginx writes it.
func written(form, method, code, reason, parent string) []byte {
	return fmt.Appendf(nil, `<190>Nov 28 01:00:00 gateway: {"id":"my-id","traceId":%q,"spanId":%q,"parentId":%q,"traceFlags":"01","partner":"acme","form":%q,"method":%q,`+
		`"request":"POST /a.B/C","status":"200","seconds":"0.012","grpcStatus":["",%q,"",""],"reason":%q}`, traceID, spanID, parent, form, method, code, reason)
}

func TestAccessLog_Line(t *testing.T) {
	l := newReceived(t)
	l.line(t.Context(), written("grpc", "a.B/C", "8", "RATE_LIMITED", parentID))
	for _, part := range []string{"partner=acme", "grpc_status=RESOURCE_EXHAUSTED", "reason=RATE_LIMITED", "request_id=my-id", "took=12ms", "method=a.B/C"} {
		if !strings.Contains(l.text.String(), part) {
			t.Errorf("the record has no %s: %s", part, l.text)
		}
	}
	if n := l.metric(t, "sandbox_gateway_requests_total", "partner acme", "form grpc", "code RESOURCE_EXHAUSTED", "reason RATE_LIMITED"); n != 1 {
		t.Errorf("the metric counts %v requests", n)
	}
}

func TestAccessLog_ReasonOfTheAgentIsNoReasonOfNGINX(t *testing.T) {
	l := newReceived(t)
	l.line(t.Context(), []byte(`gateway: {"partner":"acme","form":"rest","method":"a.B/C","status":"404","grpcStatus":["","","","5"],"reason":"","agentReason":"USER_UNKNOWN"}`))
	if !strings.Contains(l.text.String(), "grpc_status=NOT_FOUND reason=USER_UNKNOWN") {
		t.Errorf("the record is %s", l.text)
	}
	// The agent has counted the call.
	if requests, calls := l.metric(t, "sandbox_gateway_requests_total", "reason ", "code NOT_FOUND"), l.metric(t, "grpc_client_handled_total"); requests != 1 || calls != 0 {
		t.Errorf("%v requests and %v calls are counted, want 1 and 0", requests, calls)
	}
}

func TestAccessLog_LineWithoutJSONIsCounted(t *testing.T) {
	l := newReceived(t)
	for _, text := range []string{"", "<190>Nov 28 01:00:00 gateway: ", "gateway: {", `gateway: {"status":200}`} {
		l.line(t.Context(), []byte(text))
	}
	if n := l.metric(t, "sandbox_gateway_unreadable_log_lines_total"); n != 4 || l.text.Len() != 0 || len(l.spans.Ended()) != 0 {
		t.Errorf("%v lines are counted, want 4; log: %s", n, l.text)
	}
}

func TestAccessLog_SpanHasTheIDsOfTheCall(t *testing.T) {
	l := newReceived(t)
	l.line(t.Context(), written("grpc", "a.B/C", "0", "", parentID))
	l.line(t.Context(), written("grpc", "", "12", "UNKNOWN_METHOD", ""))
	ended := l.spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("there are %d spans, want 2", len(ended))
	}
	for i, want := range []struct{ name, parent string }{{"a.B/C", parentID}, {"unknown method", "0000000000000000"}} {
		s := ended[i]
		if s.Name() != want.name || s.SpanContext().TraceID().String() != traceID || s.SpanContext().SpanID().String() != spanID || s.Parent().SpanID().String() != want.parent {
			t.Errorf("got %s with trace %s, span %s and parent %s", s.Name(), s.SpanContext().TraceID(), s.SpanContext().SpanID(), s.Parent().SpanID())
		}
		if want.parent == parentID && !s.Parent().IsRemote() {
			t.Error("the parent is not remote")
		}
		if took := s.EndTime().Sub(s.StartTime()); took != 12*time.Millisecond {
			t.Errorf("the span took %s", took)
		}
	}
}

func TestAccessLog_LineWithoutIDsHasNoSpan(t *testing.T) {
	l := newReceived(t)
	l.line(t.Context(), []byte(`gateway: {"traceId":"","status":"400","form":"rest","reason":"BAD_REQUEST"}`))
	if len(l.spans.Ended()) != 0 || l.metric(t, "sandbox_gateway_requests_total", "partner ", "form rest", "code INVALID_ARGUMENT", "reason BAD_REQUEST") != 1 {
		t.Error("the line has a span, or was not counted")
	}
}

func TestAccessLog_CountsCallsOnce(t *testing.T) {
	l := newReceived(t)
	// The agent itself counts the call of a REST request that it has transcoded.
	l.line(t.Context(), written("rest", "a.B/C", "0", "", ""))
	l.line(t.Context(), written("grpc", "a.B/D", "12", "UNKNOWN_METHOD", ""))
	l.line(t.Context(), written("rest", "a.B/C", "8", "RATE_LIMITED", ""))
	l.line(t.Context(), written("grpc", "a.B/C", "0", "", ""))
	const handled = "grpc_client_handled_total"
	if all, ok, refused := l.metric(t, handled), l.metric(t, handled, "grpc_code OK"), l.metric(t, handled, "grpc_code ResourceExhausted"); all != 2 || ok != 1 || refused != 1 {
		t.Errorf("%v calls are counted, %v as OK and %v as refused; want 2, 1 and 1", all, ok, refused)
	}
}

func TestMetrics_PartnersAreBounded(t *testing.T) {
	l := newReceived(t)
	for i := range 2 * maxPartners {
		name := fmt.Sprint("partner-", i)
		if got := l.own.partner(name); got != name && (i < maxPartners || got != "other") {
			t.Fatalf("the label of partner %d is %q", i, got)
		}
	}
	if l.own.partner("partner-0") != "partner-0" || l.own.partner("late") != "other" {
		t.Error("a known partner has lost its label, or a late one has got one")
	}
}
