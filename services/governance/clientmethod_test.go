package governance

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A proxy passes on the names that its clients invent. They must not cost memory.
func TestClient_InventedMethods(t *testing.T) {
	metrics := NewMetrics()
	called := &calling{callee: fine, client: newClient(ClientConfig{Callee: "callee", Metrics: metrics, Log: quiet}.withDefaults())}
	call := func(method string) {
		t.Helper()
		called.method = method
		for _, call := range called.calls() {
			must(t, call(t.Context()))
		}
	}
	for i := range 5 * mostUnlinked {
		call(fmt.Sprintf("x.Y/M%d", i))
	}
	call(unaryMethod)
	if known, unknown := len(called.client.methods.All()), len(called.client.unknown.All()); known != mostUnlinked+1 || unknown != 2 {
		t.Errorf("%d methods and %d groups of others are remembered, want %d and 2", known, unknown, mostUnlinked+1)
	}
	for kind, want := range map[string]float64{"unary": 4 * mostUnlinked, "server_stream": 4 * mostUnlinked} {
		if got := metric(t, metrics, "grpc_client_started_total", "grpc_type", kind, "grpc_service", "unknown", "grpc_method", "unknown"); got != want {
			t.Errorf("%v calls of the kind %s are counted as unknown, want %v", got, kind, want)
		}
	}
	if got := metric(t, metrics, "grpc_client_started_total", "grpc_method", "UnaryCall"); got != 2 {
		t.Errorf("%v calls of the linked method are counted under its own name, want 2", got)
	}
	if n := len(called.client.cfg.Breakers.Snapshot()); n != mostUnlinked+2 {
		t.Errorf("%d breakers are reported, want %d", n, mostUnlinked+2)
	}
}

// What applies to an invented method depends on its own name, although it shares metrics and breaker with others.
func TestClient_RulesOfInventedMethods(t *testing.T) {
	p := policyOf(t, "client: [{method: 'x.Y/Slow*', deadline: {timeout: 1m}}]\nclientFaults: [{method: 'x.Y/Broken', abort: {code: ABORTED}}]")
	called := &calling{client: newClient(ClientConfig{Callee: "callee", Policy: p, Log: quiet}.withDefaults())}
	var left time.Duration
	called.callee = func(ctx context.Context) error {
		at, _ := ctx.Deadline()
		left = time.Until(at)
		return nil
	}
	for i := range mostUnlinked {
		called.method = fmt.Sprintf("x.Y/M%d", i)
		must(t, called.unary(t.Context()))
	}
	check := func(method string, code codes.Code, isLong bool) {
		t.Helper()
		called.method, left = method, 0
		if got := status.Code(called.unary(t.Context())); got != code || isLong != (left > 30*time.Second) {
			t.Errorf("%s: %s with %s left, want %s and a long deadline: %v", method, got, left, code, isLong)
		}
	}
	for range 2 {
		check("x.Y/SlowA", codes.OK, true)
		check("x.Y/SlowB", codes.OK, true)
		check("x.Y/Fast", codes.OK, false)
		check("x.Y/Broken", codes.Aborted, false)
	}
	// With the same number of rules, the groups have the same keys.
	change(t, p, "client: [{method: 'x.Y/Fast', deadline: {timeout: 1m}}]\nclientFaults: [{method: 'x.Y/SlowB', abort: {code: ABORTED}}]")
	for range 2 {
		check("x.Y/SlowA", codes.OK, false)
		check("x.Y/SlowB", codes.Aborted, false)
		check("x.Y/Fast", codes.OK, true)
		check("x.Y/Broken", codes.OK, false)
	}
}

// The breaker of a group of invented methods opens for this group only, and is reported once.
func TestBreaker_InventedMethods(t *testing.T) {
	p := policyOf(t, "client: [{method: 'x.Y/Bad*', breaker: {minCalls: 3}}]")
	called := &calling{callee: fine, client: newClient(ClientConfig{Callee: "callee", Policy: p, Log: quiet}.withDefaults())}
	called.client.cfg.Breakers.opened()
	for i := range mostUnlinked {
		called.method = fmt.Sprintf("x.Y/M%d", i)
		must(t, called.unary(t.Context()))
	}
	called.method = "x.Y/Good"
	must(t, called.unary(t.Context()))
	called.callee = isDown
	for i := range 3 {
		called.method = fmt.Sprintf("x.Y/Bad%d", i)
		_ = called.unary(t.Context())
	}
	called.callee = fine
	if err := called.unary(t.Context()); err == nil {
		t.Error("the breaker of the group is closed")
	}
	called.method = "x.Y/Good"
	must(t, called.unary(t.Context()))
	called.method = "x.Y/Late"
	must(t, called.opened(t.Context()))
	if got := metric(t, called.client.cfg.Metrics, "sandbox_breaker_state", "method", unknownMethod); got != 1 {
		t.Errorf("the state is %v, want that of the open breaker", got)
	}
	unknown := slices.DeleteFunc(called.client.cfg.Breakers.Snapshot(), func(s BreakerState) bool { return s.Method != unknownMethod })
	if len(unknown) != 1 || unknown[0].State != StateOpen {
		t.Errorf("%+v, want one open breaker", unknown)
	}
}
