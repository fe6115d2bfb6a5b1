package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// errUnrouted is the error of an operation in the OpenAPI document that has no handler.
var errUnrouted = status.Error(codes.Internal, "the route has no handler")

// page is a document that is served as it is.
type page struct {
	mediaType string
	text      []byte
}

type handler struct {
	cfg        Config
	operations []operation
	pages      map[string]page
	mux        *runtime.ServeMux
}

// ServeHTTP answers with JSON, a page or a problem.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	answer := &answer{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil {
			h.recovered(answer, r, p)
		}
	}()
	r, err := withRequestID(r)
	if id := requestID(r); id != "" {
		header.Set("X-Request-Id", id)
	}
	if err == nil {
		err = h.serve(answer, r)
	}
	if err != nil {
		fail(h.cfg.Log, answer, r, err)
	}
}

// recovered answers a request whose handler has panicked. If a part of the answer is sent, only ending the connection shows that it is incomplete.
func (h *handler) recovered(w *answer, r *http.Request, cause any) {
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it in the same way
		panic(cause)
	}
	h.cfg.Log.Error("a REST request panicked", "requestId", requestID(r), "panic", cause, "stack", string(debug.Stack()))
	if w.started {
		panic(http.ErrAbortHandler)
	}
	Problem(w, r, status.New(codes.Internal, "the gateway failed"))
}

// serve answers a request, or returns why it is refused before it is a call.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	if p, ok := h.pages[r.URL.Path]; ok {
		return p.serve(w, r)
	}
	op, values, err := route(h.operations, w.Header(), r)
	if err != nil || op == nil {
		if err == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return err
	}
	body, err := h.body(w, r, op)
	if err != nil {
		return err
	}
	if err := op.checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	c, err := newCall(r.Header, values)
	if err != nil {
		return err
	}
	ctx, cancel := c.context(r)
	defer cancel()
	// The multiplexer gets a request of its own: no header of the caller reaches it, and the path has numbers instead of the caller's text.
	inner := &http.Request{
		Method: op.method, URL: &url.URL{Path: op.numberedPath(), RawQuery: r.URL.RawQuery}, Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor,
		Header: http.Header{"X-Request-Id": {requestID(r)}}, Body: io.NopCloser(strings.NewReader("")),
	}
	if op.hasBody {
		inner.Body = &requestBody{call: c, text: body}
	}
	h.mux.ServeHTTP(w, inner.WithContext(ctx))
	return nil
}

// body reads the body of an operation that has one.
func (h *handler) body(w http.ResponseWriter, r *http.Request, op *operation) ([]byte, error) {
	if !op.hasBody {
		return nil, nil
	}
	if err := checkContent(r.Header); err != nil {
		return nil, err
	}
	// net/http removes the deadline at the end of the body, so the call may take longer.
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(h.cfg.BodyTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, fmt.Errorf("limiting the time of the body: %w", err)
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refusal.New(codes.InvalidArgument, ReasonRequestTimeout, "the body has not arrived within "+h.cfg.BodyTime.String())
	case errors.As(err, &tooLarge):
		return nil, refusal.New(codes.InvalidArgument, ReasonBodyTooLarge, "the body is larger than "+bytesOf(tooLarge.Limit))
	case r.Context().Err() != nil:
		return nil, status.FromContextError(r.Context().Err()).Err()
	case err != nil:
		return nil, refusal.New(codes.InvalidArgument, ReasonMalformedBody, "reading the body: "+err.Error())
	}
	return text, nil
}

func (p page) serve(w http.ResponseWriter, r *http.Request) error {
	const allowed = "GET, HEAD, OPTIONS"
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		w.Header().Set("Allow", allowed)
		return notAllowed(r.Method, allowed)
	}
	w.Header().Set("Content-Type", p.mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(p.text)))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	_, _ = w.Write(p.text)
	return nil
}

// fail answers with a problem, and logs it if it is not the fault of the caller.
func fail(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	st := statusOf(err)
	attributes := []any{"requestId", requestID(r), "code", codeName(st.Code()), "error", st.Message()}
	switch st.Code() {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		log.Error("a REST request failed", attributes...)
	case codes.Unavailable, codes.DeadlineExceeded:
		if ofTheTransport.MatchString(st.Message()) {
			log.Warn("a service cannot be reached", attributes...)
			p := st.Proto()
			p.Message = "the service cannot be reached"
			st = status.FromProto(p)
		}
	}
	Problem(w, r, st)
}

// ofTheTransport matches the messages that grpc-go makes for a connection, or for the lack of one. They have addresses of pods and names of the cluster, which are not for partners.
var ofTheTransport = regexp.MustCompile(`connection error|transport: |error reading from server|name resolver error|no children to pick from|produced zero addresses|\bdial (tcp|unix)\b|\blookup `)

// statusOf returns the status of any error of a call.
func statusOf(err error) *status.Status {
	var http *runtime.HTTPStatusError
	if errors.As(err, &http) {
		err = http.Err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if _, hasStatus := status.FromError(err); !hasStatus {
			return status.FromContextError(err)
		}
	}
	return status.Convert(err)
}

// answer records whether a part of the response is sent.
type answer struct {
	http.ResponseWriter
	started bool
}

// WriteHeader sends the header.
func (a *answer) WriteHeader(code int) {
	a.started = true
	a.ResponseWriter.WriteHeader(code)
}

// Write sends a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	a.started = true
	return a.ResponseWriter.Write(p)
}

// Unwrap returns the writer of net/http, for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
