package nginx

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/gateway/attempts"
	"github.com/grpc-sandbox/sandbox/services/gateway/rest"
)

// connection answers every call of REST with an empty message.
type connection struct{}

func (connection) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return nil }

func (connection) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("there are no streams")
}

// newAttempted returns a gateway with everything that the attempts need, and the target for them.
func newAttempted(t *testing.T) (*world, attempts.Target) {
	w := newWorld(t, func(w *world) {
		handler, err := rest.New(rest.Config{Connection: func(string) grpc.ClientConnInterface { return connection{} }, MaxBody: 4 << 20})
		must(t, err)
		w.rest = handler
	})
	valid, revoked := w.partner("acme"), w.partner("revoked")
	certificates, err := attempts.Forge(w.partnersCA.cert, w.partnersCA.key, valid.tls())
	must(t, err)
	certificates[attempts.Valid], certificates[attempts.Other], certificates[attempts.Revoked] = valid.tls(), w.partner("globex").tls(), revoked.tls()
	certificates[attempts.Mesh] = issue(t, w.meshCA, "acme").tls()
	w.revoked = append(w.revoked, x509.RevocationListEntry{SerialNumber: revoked.cert.SerialNumber, RevocationTime: time.Now()})
	w.config.Revocations, w.config.Material = w.revocations(), "2"
	w.config.Routes = []Route{{Verb: "GET", Pattern: "/v1/users/.+", Method: "user.v1.UserService/GetUser"}}
	_, err = w.server.Apply(t.Context(), w.config)
	must(t, err)
	return w, attempts.Target{Address: w.address, ServerName: "gateway", Roots: w.client(nil).RootCAs, Certificates: certificates,
		Unary: "grpc.testing.TestService/UnaryCall", Stream: "grpc.testing.TestService/FullDuplexCall", Hidden: "grpc.testing.TestService/CacheableUnaryCall",
		Get: "/v1/users/u-1", Post: "/v1/users"}
}

func TestGateway_Attempts(t *testing.T) {
	w, target := newAttempted(t)
	results := attempts.Run(t.Context(), target, attempts.All())
	lines := w.linesByID()
	for _, r := range results {
		t.Run(r.Attempt.Name, func(t *testing.T) {
			out := r.Outcome
			if r.Err != nil || out.Text != r.Attempt.Want {
				t.Fatalf("the outcome is %q, want %q; error: %v\n%s", out.Text, r.Attempt.Want, r.Err, out.Body)
			}
			if out.HasHTML() {
				t.Errorf("the answer is a page: %s", out.Body)
			}
			answered := strings.HasPrefix(out.Text, "grpc ") || strings.HasPrefix(out.Text, "rest ")
			if answered {
				checkLine(t, lines[out.RequestID], r)
			}
		})
	}
	// Services see the name in the certificate, and nothing else, whatever a partner claims.
	checkPartners(t, w)
	if _, err := w.dial(w.partner("later")).UnaryCall(t.Context(), &testv1.SimpleRequest{}); err != nil {
		t.Errorf("a valid call after all attempts: %v", err)
	}
}

// loggedLine is a part of a line of the access log.
type loggedLine struct {
	ID, Partner, TraceID, Status, Reason, AgentReason, Upstream string
	GRPCStatus                                                  []string
}

// linesByID returns the lines that have arrived, by the id of the request.
func (w *world) linesByID() map[string][]loggedLine {
	w.t.Helper()
	all := map[string][]loggedLine{}
	for {
		select {
		case text := <-w.accessLog:
			var line loggedLine
			must(w.t, json.Unmarshal([]byte(text[strings.IndexByte(text, '{'):]), &line))
			all[line.ID] = append(all[line.ID], line)
		// nginx writes the line after the answer.
		case <-time.After(200 * time.Millisecond):
			return all
		}
	}
}

// named are the certificates whose name the gateway believes.
var named = map[attempts.Kind]string{attempts.Valid: "acme", attempts.Other: "globex", attempts.Revoked: "revoked"}

// checkLine checks the line of an answered attempt.
func checkLine(t *testing.T, lines []loggedLine, r attempts.Result) {
	t.Helper()
	if len(lines) != 1 {
		t.Fatalf("the access log has %d lines with the id %q, want 1: %v", len(lines), r.Outcome.RequestID, lines)
	}
	line := lines[0]
	if want := named[r.Attempt.Certificate]; line.Partner != want {
		t.Errorf("the line has the partner %q, want %q", line.Partner, want)
	}
	if len(line.TraceID) != 32 {
		t.Errorf("the line has the trace %q", line.TraceID)
	}
	if got := line.Reason + line.AgentReason; got != r.Outcome.Reason || got == "" && line.Upstream == "" {
		t.Errorf("the line has the reason %q, the answer %q", got, r.Outcome.Reason)
	}
	if (strings.HasPrefix(r.Outcome.Text, "grpc ") || line.AgentReason != "") && !slices.ContainsFunc(line.GRPCStatus, func(s string) bool { return s != "" }) {
		t.Errorf("the line has no grpc-status: %v", line)
	}
}

// checkPartners checks what the service and the agent have received.
func checkPartners(t *testing.T, w *world) {
	t.Helper()
	check := func(partners, encoded []string) {
		t.Helper()
		if len(encoded) != 0 || len(partners) != 1 || partners[0] != "acme" && partners[0] != "globex" {
			t.Errorf("a request has arrived with x-partner: %q, x-partner-bin: %q", partners, encoded)
		}
	}
	if len(w.backend.seen) == 0 || len(w.restSeen) == 0 {
		t.Error("no request has arrived")
	}
	for range len(w.backend.seen) {
		md := <-w.backend.seen
		check(md["x-partner"], md["x-partner-bin"])
	}
	for range len(w.restSeen) {
		header := <-w.restSeen
		check(header.Values("X-Partner"), header.Values("X-Partner-Bin"))
		if header.Values("X_Partner") != nil {
			t.Error("X_Partner has arrived")
		}
	}
}

func TestGateway_LogsTheReasonOfASlowBody(t *testing.T) {
	w, target := newAttempted(t)
	var slow []attempts.Attempt
	for _, a := range attempts.All() {
		if strings.HasPrefix(a.Name, "half of a ") {
			slow = append(slow, a)
		}
	}
	attempts.Run(t.Context(), target, slow)
	found := 0
	for _, lines := range w.linesByID() {
		for _, line := range lines {
			if line.Status == "408" && line.Reason == ReasonBodyTimeout && line.Partner == "acme" {
				found++
			}
		}
	}
	if found != len(slow) || found == 0 {
		t.Errorf("the access log has %d slow bodies, want %d", found, len(slow))
	}
}
