package governance

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// calling is a governed client without a network: calls go straight into its interceptors, and callee answers them.
type calling struct {
	client *client
	method string
	callee func(context.Context) error
}

func (c *calling) unary(ctx context.Context) error {
	return c.client.unary(ctx, "/"+c.method, &testv1.SimpleRequest{}, &testv1.SimpleResponse{}, nil,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			return c.callee(ctx)
		})
}

// opened opens a stream, and never ends it.
func (c *calling) opened(ctx context.Context) error {
	_, err := c.client.stream(ctx, &grpc.StreamDesc{ServerStreams: true}, nil, "/"+c.method,
		func(ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
			return nil, c.callee(ctx)
		})
	return err
}

func (c *calling) calls() []func(context.Context) error {
	return []func(context.Context) error{c.unary, c.opened}
}

func isDown(context.Context) error { return errDown }

func TestClient_ExemptMethods(t *testing.T) {
	for _, c := range []struct {
		sentence, text string
		exempted       bool
		holds          func(*calling) bool
	}{
		{"no deadline from the policy", "client: [{deadline: {timeout: 1ms, streamTimeout: 1ms}}]", true, func(c *calling) bool { return c.deadlines(time.Millisecond, time.Millisecond) }},
		{"the default deadline", "", false, func(c *calling) bool { return c.deadlines(time.Second, time.Hour) }},
		{"no breaker", "", true, func(c *calling) bool { return c.breaks(20) }},
		{"no breaker of the policy", "client: [{breaker: {minCalls: 2}}]", true, func(c *calling) bool { return c.breaks(2) }},
		{"no limit of concurrent calls", "client: [{breaker: {maxConcurrent: 1}}]", true, (*calling).isLimited},
		{"no retry", "client: [{method: '*/*', retry: {idempotent: true, maxAttempts: 3}}]", true, func(c *calling) bool {
			return strings.Contains(serviceConfigFor(c.client.cfg.Policy.Rules(), "callee", []string{c.method}), "retryPolicy")
		}},
		{"fallbacks, which a policy cannot disable", "client: [{fallback: {disabled: true}}]", true, func(c *calling) bool {
			c.callee = isDown
			return c.unary(context.Background()) != nil
		}},
		{"no fault", "clientFaults: [{abort: {code: NOT_FOUND}}]", true, func(c *calling) bool {
			return status.Code(c.unary(context.Background())) == codes.NotFound && status.Code(c.opened(context.Background())) == codes.NotFound
		}},
	} {
		for method, exempt := range map[string]bool{"grpc.health.v1.Health/Check": true, "fault.v1.Control/Heal": true, "a.B/C": false} {
			t.Run(c.sentence+", "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := policyOf(t, c.text)
					p.Exempt("fault.v1.Control/*")
					called := &calling{method: method, callee: fine, client: newClient(ClientConfig{Callee: "callee", Policy: p, Log: quiet,
						Breakers: NewBreakers("c", BreakerConfig{}, nil, nil), Fallbacks: []Fallback{FallbackTo(method, cached)}}.withDefaults())}
					if got, want := c.holds(called), !(exempt && c.exempted); got != want {
						t.Errorf("applies: %v, want %v", got, want)
					}
				})
			})
		}
	}
}

// deadlines reports whether calls have these deadlines.
func (c *calling) deadlines(want ...time.Duration) bool {
	same := true
	for i, call := range c.calls() {
		c.callee = func(ctx context.Context) error {
			deadline, has := ctx.Deadline()
			same = same && has && time.Until(deadline) == want[i]
			// The error ends the stream.
			return errDown
		}
		_ = call(context.Background())
	}
	return same
}

// breaks reports whether a callee that fails n times is not called again.
func (c *calling) breaks(n int) bool {
	asked := 0
	c.callee = func(context.Context) error { asked++; return errDown }
	for range n {
		_ = c.unary(context.Background())
	}
	for _, call := range c.calls() {
		_ = call(context.Background())
	}
	return asked == n
}

// isLimited reports whether a call is refused while another one is in flight.
func (c *calling) isLimited() bool {
	asked := 0
	c.callee = func(ctx context.Context) error {
		if asked++; asked == 1 {
			_ = c.unary(ctx)
		}
		return errDown
	}
	_ = c.unary(context.Background())
	return asked == 1
}
