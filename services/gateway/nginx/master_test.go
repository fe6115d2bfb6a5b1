package nginx

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

func TestGateway_PassesCallsOn(t *testing.T) {
	w := newWorld(t)
	c := w.dial(w.partner("acme"))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-partner", "globex", "x-partner-bin", "globex", "X-Partner", "other", "x-priority", "critical",
		"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id", "my-id", "x-own", "kept")
	got, err := c.UnaryCall(ctx, &testv1.SimpleRequest{Payload: &testv1.Payload{Body: []byte("hello")}})
	if err != nil || string(got.GetPayload().GetBody()) != "hello" {
		t.Fatal(got, err)
	}
	md := <-w.backend.seen
	for key, want := range map[string]string{"x-partner": "acme", "x-partner-bin": "", "x-priority": "", "x-request-id": "my-id", "x-own": "kept"} {
		if got := strings.Join(md[key], ","); got != want {
			t.Errorf("the service sees %s: %q, want %q", key, got, want)
		}
	}
	parent := strings.Join(md["traceparent"], ",")
	if !strings.HasPrefix(parent, "00-0af7651916cd43dd8448eb211c80319c-") || strings.Contains(parent, "b7ad6b7169203331") || len(parent) != 55 {
		t.Errorf("traceparent %q", parent)
	}
	line := w.line()
	for _, part := range []string{`"partner":"acme"`, `"method":"grpc.testing.TestService/UnaryCall"`, `"grpcStatus":["","0"`, `"traceId":"0af7651916cd43dd8448eb211c80319c"`,
		`"parentId":"b7ad6b7169203331"`, `"id":"my-id"`, `"reason":""`, parent[36:52]} {
		if !strings.Contains(line, part) {
			t.Errorf("the access log has no %s: %s", part, line)
		}
	}
}

func TestGateway_StatusAndDeadlineSurvive(t *testing.T) {
	w := newWorld(t)
	c := w.dial(w.partner("acme"))
	_, err := c.UnaryCall(t.Context(), &testv1.SimpleRequest{ResponseStatus: &testv1.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "no “stock”\nleft"}})
	delay, _ := refusal.RetryDelay(err)
	if status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "no “stock”\nleft" || refusal.Reason(err) != "SOME_REASON" || delay != 1500*time.Millisecond {
		t.Errorf("got %v, reason %q, try again after %s", err, refusal.Reason(err), delay)
	}
}

// TestGateway_UnaryCallsHaveADeadline checks which one the service sees.
func TestGateway_UnaryCallsHaveADeadline(t *testing.T) {
	w := newWorld(t)
	acme := w.partner("acme")
	transport := &http.Transport{TLSClientConfig: w.client(acme), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	const most = 100 * time.Second
	for sent, want := range map[string]time.Duration{
		"": most, "1H": most, "2M": most, "101S": most, "100000m": most, "99999999S": most,
		"1M": time.Minute, "99S": 99 * time.Second, "00000007S": 7 * time.Second, "99999m": 99999 * time.Millisecond, "99999999u": 99999999 * time.Microsecond,
	} {
		// A client of gRPC would set the header itself.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+w.address+"/grpc.testing.TestService/UnaryCall", bytes.NewReader(make([]byte, 5)))
		must(t, err)
		r.Header.Set("Content-Type", "application/grpc")
		r.Header.Set("TE", "trailers")
		if sent != "" {
			r.Header.Set("grpc-timeout", sent)
		}
		answer, err := transport.RoundTrip(r)
		must(t, err)
		_, err = io.Copy(io.Discard, answer.Body)
		must(t, err)
		must(t, answer.Body.Close())
		if got := answer.Trailer.Get("grpc-status"); got != "0" {
			t.Fatalf("%q: status %q of %v", sent, got, answer)
		}
		<-w.backend.seen
		if left := time.Until(<-w.backend.until); left > want || left < want-5*time.Second {
			t.Errorf("%q: the service has %s, want %s", sent, left, want)
		}
	}
}

func TestServer_KeepsTheLastGoodConfiguration(t *testing.T) {
	w := newWorld(t)
	c := w.dial(w.partner("acme"))
	bad := w.config
	bad.Certificate = w.file("bad.crt", []byte("-"))
	var rejected *RejectedError
	if _, err := w.server.Apply(t.Context(), bad); !errors.As(err, &rejected) || !strings.Contains(err.Error(), "bad.crt") {
		t.Errorf("got %v", err)
	}
	if _, err := c.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Error(err)
	}
}

// TestServer_StartsAfterOneThatWasKilled kills nginx as the end of a machine does: it cannot remove its sockets.
func TestServer_StartsAfterOneThatWasKilled(t *testing.T) {
	w := newWorld(t)
	workers, err := w.server.children()
	must(t, err)
	must(t, w.server.master.Process.Kill())
	// The workers live on, and the agent ends as well.
	<-w.server.Ended() //nolint:errcheck // it was killed
	for _, worker := range workers {
		pid, err := strconv.Atoi(worker)
		must(t, err)
		must(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	again := New(w.server.program, w.server.folder, w.server.log)
	t.Cleanup(func() { _ = again.Stop(context.Background()) })
	_, err = again.Apply(t.Context(), w.config)
	must(t, err)
	if _, err := w.dial(w.partner("acme")).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Error(err)
	}
}

func TestServer_RevocationWithAnOpenStream(t *testing.T) {
	w := newWorld(t)
	acme, globex := w.partner("acme"), w.partner("globex")
	c, other := w.dial(acme), w.dial(globex)
	stream, err := c.FullDuplexCall(t.Context())
	must(t, err)
	ping := func() error {
		if err := stream.Send(&testv1.StreamingOutputCallRequest{}); err != nil {
			return err
		}
		_, err := stream.Recv()
		return err
	}
	must(t, ping())
	w.revoked = append(w.revoked, x509.RevocationListEntry{SerialNumber: acme.cert.SerialNumber, RevocationTime: time.Now()})
	w.config.Revocations, w.config.Material = w.revocations(), "2"
	_, err = w.server.Apply(t.Context(), w.config)
	must(t, err)
	// The connection with the stream is over for new calls.
	_, err = c.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if status.Code(err) != codes.Unauthenticated || refusal.Reason(err) != ReasonCertificateRevoked {
		t.Errorf("a call of the revoked partner: %v", err)
	}
	if err := ping(); err != nil {
		t.Errorf("the open stream: %v", err)
	}
	if _, err := other.UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Error(err)
	}
}
