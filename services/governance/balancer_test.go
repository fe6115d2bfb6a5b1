package governance

import (
	"testing"

	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	testv1 "google.golang.org/grpc/interop/grpc_testing"
)

// TestDial_NotServingReplica checks that a replica whose health service reports NOT_SERVING gets no calls.
func TestDial_NotServingReplica(t *testing.T) {
	h := health.NewServer()
	h.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	client := wire(t, fake{}, ServerConfig{Health: h}, ClientConfig{})
	_, err := client.UnaryCall(t.Context(), &testv1.SimpleRequest{})
	if err == nil {
		t.Error("a server that reports NOT_SERVING got a call")
	}
}
