package rest

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

// TestService_IsDown calls a port on which no program listens. The log names it, and the answer does not.
func TestService_IsDown(t *testing.T) {
	governed, err := governance.Dial("passthrough:127.0.0.1:1", governance.ClientConfig{Callee: "userservice", Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	plain, err := grpc.NewClient("passthrough:127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	for name, connection := range map[string]*grpc.ClientConn{"governance": governed, "grpc-go": plain} {
		t.Run(name, func(t *testing.T) {
			defer func() { must(t, connection.Close()) }()
			var logged bytes.Buffer
			h, err := New(Config{Connection: func(string) grpc.ClientConnInterface { return connection }, Log: slog.New(slog.NewTextHandler(&logged, nil))})
			must(t, err)
			p := problemOf(t, send(h, request("GET", "/v1/users/u-42", "")))
			if p.Status != 503 || p.Code != "UNAVAILABLE" || p.Detail != "the service cannot be reached" || !strings.Contains(logged.String(), "127.0.0.1:1") {
				t.Errorf("%+v", p)
			}
		})
	}
}
