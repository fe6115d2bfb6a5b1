package rest

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

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

// TestService_HasNoPods checks the messages of grpc-go for a service without a replica.
func TestService_HasNoPods(t *testing.T) {
	for _, message := range []string{"no children to pick from", "name resolver error: produced zero addresses"} {
		connection := answering(func() error { return status.Error(codes.Unavailable, message) })
		h, err := New(Config{Connection: func(string) grpc.ClientConnInterface { return connection }, Log: slog.New(slog.DiscardHandler)})
		must(t, err)
		if p := problemOf(t, send(h, request("GET", "/v1/users/u-42", ""))); p.Status != 503 || p.Detail != "the service cannot be reached" {
			t.Errorf("%q: %+v", message, p)
		}
	}
}

// answering is a connection whose calls have a given outcome.
type answering func() error

func (a answering) Invoke(context.Context, string, any, any, ...grpc.CallOption) error { return a() }

func (a answering) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, a()
}
