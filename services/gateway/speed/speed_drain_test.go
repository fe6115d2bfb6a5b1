//go:build linux

package speed

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// TestDrain_NoCallAndNoLineIsLost makes calls after the agent was asked to stop. Until clients have noticed, they still open connections to the pod.
func TestDrain_NoCallAndNoLineIsLost(t *testing.T) {
	w := newWorld(t, "DRAIN_DELAY=2s")
	await := func(what string, times int) {
		t.Helper()
		err := pause.UntilWithin(t.Context(), 10*time.Millisecond, 30*time.Second, func(context.Context) (bool, error) {
			n, err := w.logged(what)
			return n == times, err
		})
		if err != nil {
			n, _ := w.logged(what)
			t.Fatalf("the log has %s %d times, want %d: %v", what, n, times, err)
		}
	}
	must(t, syscall.Kill(w.agent, syscall.SIGTERM))
	await(`"msg":"draining"`, 1)
	const calls = 10
	for range calls {
		must(t, w.request(t.Context(), http.MethodGet, "/v1/users/u-1", nil))
		w.transport.CloseIdleConnections()
	}
	await(`"request":"GET /v1/users/u-1"`, calls)
}
