package governance

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// TestStart_CallsAndFollowsThePolicy checks that a program without a server has breakers and follows its policy without further work.
func TestStart_CallsAndFollowsThePolicy(t *testing.T) {
	f := &flaky{code: codes.Unavailable}
	f.fails.Store(1000)
	at, stop, ended := running(t, f.fake(), nil)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(file, []byte("version: one\nclient: [{breaker: {minCalls: 3}}]"), 0o600))
	p, err := Start(t.Context(), io.Discard, Config{Service: "job", TLSDir: "off", PolicyFile: file})
	must(t, err)
	conn, err := p.Dial("passthrough:///"+at.Service, "callee")
	must(t, err)
	client := testv1.NewTestServiceClient(conn)
	for range 3 {
		_, err = client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	}
	if status.Code(err) != codes.Unavailable || refusal.Reason(err) != "" {
		t.Error("the third call got", err)
	}
	if _, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{}); refusal.Reason(err) != refusal.ReasonBreakerOpen {
		t.Error("the fourth call got", err)
	}
	must(t, os.WriteFile(file, []byte("version: two"), 0o600))
	eventually(t, "the new policy is in force", func() bool { return p.Policy.Version() == "two" })
	must(t, p.Close())
	if got := conn.GetState(); got != connectivity.Shutdown {
		t.Error("after Close the connection is", got)
	}
	stop()
	must(t, <-ended)
}

// TestStart_CalleesAreDialedLater checks that a rule for a service that the program has not dialed yet is not reported as one that matches nothing. The
// program dials while another goroutine of it does.
func TestStart_CalleesAreDialedLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	must(t, os.WriteFile(file, []byte("client: [{callee: users, deadline: {timeout: 1s}}, {method: no.Such/Method, deadline: {timeout: 1s}}]\nconnections: [{callee: users}]"), 0o600))
	var log bytes.Buffer
	p, err := Start(t.Context(), &log, Config{Service: "job", TLSDir: "off", PolicyFile: file})
	must(t, err)
	if got := metric(t, p.Metrics, "sandbox_policy_unmatched_patterns"); got != 1 || strings.Contains(log.String(), ".callee") {
		t.Errorf("%v patterns match nothing, want 1; log:\n%s", got, log.String())
	}
	var dialing sync.WaitGroup
	for range 2 {
		dialing.Go(func() {
			if _, err := p.Dial("passthrough:///absent", "users"); err != nil {
				t.Error(err)
			}
		})
	}
	dialing.Wait()
	if got := p.Callees(); len(got) != 2 {
		t.Errorf("callees %q", got)
	}
	must(t, p.Close())
}

func TestStart_UnusableFiles(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no certificate": {Service: "job", TLSDir: t.TempDir()},
		"no policy":      {Service: "job", TLSDir: "off", PolicyFile: "missing.yaml"},
	} {
		if p, err := Start(t.Context(), io.Discard, cfg); err == nil || p != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
