package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"

	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// entry is a line of nginx's access log. Everything in it is text.
type entry struct {
	Time, ID, Partner, Form, Method, Request, Status, Seconds, Reason, Upstream, Received, Sent, TLS, Verify, Serial, From string
	// AgentReason is the reason of a problem that the agent has answered.
	AgentReason                           string
	TraceID, SpanID, ParentID, TraceFlags string
	GRPCStatus                            []string `json:"grpcStatus"`
}

// code returns the gRPC code of a call: that of the gateway or the service, or else what the HTTP status means.
func (e entry) code() codes.Code {
	for _, text := range e.GRPCStatus {
		if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= int(codes.Unauthenticated) {
			return codes.Code(n) //nolint:gosec // it was checked
		}
	}
	switch status, _ := strconv.Atoi(e.Status); {
	case status == 499:
		// The partner has left.
		return codes.Canceled
	case status == http.StatusUnauthorized:
		return codes.Unauthenticated
	case status == http.StatusForbidden:
		return codes.PermissionDenied
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return codes.Unimplemented
	case status == http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case status == http.StatusServiceUnavailable, status == http.StatusBadGateway:
		return codes.Unavailable
	case status == http.StatusGatewayTimeout:
		return codes.DeadlineExceeded
	case status >= 200 && status < 400:
		if e.Form == "grpc" {
			// gRPC without a grpc-status: the stream was cut.
			return codes.Unavailable
		}
		return codes.OK
	case status >= 400 && status < 500:
		return codes.InvalidArgument
	default:
		return codes.Internal
	}
}

// took returns how long the call took. nginx counts milliseconds.
func (e entry) took() time.Duration {
	seconds, err := strconv.ParseFloat(e.Seconds, 64)
	if err != nil {
		return 0
	}
	return time.Duration(seconds * float64(time.Second))
}

// accessLog turns the lines of nginx's access log into log records, metrics and spans.
type accessLog struct {
	conn    *net.UDPConn
	log     *slog.Logger
	metrics *governance.Metrics
	own     *metrics
	tracer  trace.Tracer
	known   map[string]callee
}

// callee is who serves a method.
type callee struct {
	service string
	method  nginx.Method
}

// receive reads lines until ctx ends, and then those that have arrived.
func (l accessLog) receive(ctx context.Context) error {
	defer func() { _ = l.conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = l.conn.SetReadDeadline(time.Now().Add(lastLines)) })
	defer stop()
	buffer := make([]byte, 64<<10)
	for {
		n, err := l.conn.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return fmt.Errorf("reading the access log: %w", err)
		}
		l.line(ctx, buffer[:n])
	}
}

// lastLines is how long the lines of an nginx that has ended may take to be read.
const lastLines = 200 * time.Millisecond

// listenForLines returns the connection on which nginx sends its access log, as syslog over UDP on the loopback: nginx drops what it cannot send at once,
// and the system keeps no more than ten datagrams for a Unix socket, but 200 kB for this one.
func listenForLines() (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listening for the access log: %w", err)
	}
	// The system's limit applies if that is less.
	_ = conn.SetReadBuffer(4 << 20)
	return conn, nil
}

// line handles one line. nginx writes the header of a syslog message before the JSON.
func (l accessLog) line(ctx context.Context, text []byte) {
	var e entry
	at := bytes.IndexByte(text, '{')
	if at < 0 || json.Unmarshal(text[at:], &e) != nil {
		l.own.unreadable.Inc()
		return
	}
	code := e.code()
	ctx = l.span(ctx, e, code)
	l.count(ctx, e, code)
	l.log.LogAttrs(ctx, slog.LevelInfo, "access", slog.String("partner", e.Partner), slog.String("request", e.Request), slog.String("method", e.Method), slog.String("form", e.Form),
		slog.String("status", e.Status), slog.String("grpc_status", codeName(code)), slog.String("reason", cmp.Or(e.Reason, e.AgentReason)), slog.String("took", e.took().String()),
		slog.String("request_id", e.ID), slog.String("tls", e.TLS), slog.String("verify", e.Verify), slog.String("serial", e.Serial), slog.String("upstream", e.Upstream), slog.String("from", e.From))
}

func codeName(c codes.Code) string { return code.Code(c).String() }

// count counts a call. What the agent has transcoded was counted by its own calls.
func (l accessLog) count(ctx context.Context, e entry, c codes.Code) {
	l.own.requests.WithLabelValues(l.own.partner(e.Partner), e.Form, codeName(c), e.Reason).Inc()
	to, known := l.known[e.Method]
	if known && (e.Form == "grpc" || e.Reason != "") {
		l.metrics.CountCall(ctx, governance.Call{Callee: to.service, Method: e.Method, ClientStreams: to.method.Stream, ServerStreams: to.method.Stream, Code: c, Took: e.took()})
	}
}

// span records the span whose id nginx has sent to the service, and returns a context with it.
func (l accessLog) span(ctx context.Context, e entry, c codes.Code) context.Context {
	ids, err := idsOf(e)
	if err != nil {
		return ctx
	}
	ctx = context.WithValue(ctx, idsKey{}, ids)
	if parent, err := trace.SpanIDFromHex(e.ParentID); err == nil {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: ids.trace, SpanID: parent, TraceFlags: ids.flags, Remote: true}))
	}
	name := e.Method
	if name == "" {
		name = "unknown method"
	}
	end := time.Now()
	ctx, span := l.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(end.Add(-e.took())), trace.WithAttributes(
		attribute.String("sandbox.partner", e.Partner), attribute.String("http.response.status_code", e.Status), attribute.Int("rpc.grpc.status_code", int(c)),
		attribute.String("sandbox.reason", cmp.Or(e.Reason, e.AgentReason))))
	if c != codes.OK {
		span.SetStatus(otelcodes.Error, codeName(c))
	}
	span.End(trace.WithTimestamp(end))
	return ctx
}

// spanIDs are the ids that nginx has chosen for a call.
type spanIDs struct {
	trace trace.TraceID
	span  trace.SpanID
	flags trace.TraceFlags
}

func idsOf(e entry) (ids spanIDs, err error) {
	if ids.trace, err = trace.TraceIDFromHex(e.TraceID); err != nil {
		return ids, err
	}
	if ids.span, err = trace.SpanIDFromHex(e.SpanID); err != nil {
		return ids, err
	}
	flags, err := strconv.ParseUint(e.TraceFlags, 16, 8)
	ids.flags = trace.TraceFlags(flags) //nolint:gosec // eight bits
	return ids, err
}

type idsKey struct{}

// givenIDs makes spans with the ids of the context.
type givenIDs struct{}

// NewIDs returns the ids of a span that starts a trace.
func (g givenIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if ids, ok := ctx.Value(idsKey{}).(spanIDs); ok {
		return ids.trace, ids.span
	}
	var id trace.TraceID
	// It does not fail.
	_, _ = rand.Read(id[:])
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID returns the id of a span.
func (givenIDs) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if ids, ok := ctx.Value(idsKey{}).(spanIDs); ok {
		return ids.span
	}
	var id trace.SpanID
	_, _ = rand.Read(id[:])
	return id
}
