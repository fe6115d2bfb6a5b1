// Command server answers calls with governance. LISTEN_ADDR, TLS_DIR, POLICY_FILE and the other keys of its environment are those of the README of
// governance. A program of your own registers its own generated service where this one registers a test service of gRPC.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"

	"google.golang.org/grpc"
	testv1 "google.golang.org/grpc/interop/grpc_testing"

	"github.com/grpc-sandbox/sandbox/services/governance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	cfg, err := governance.ConfigFromEnv("echo", os.Getenv)
	if err == nil {
		err = governance.Run(ctx, os.Stderr, cfg, register)
	}
	stop()
	if err != nil {
		log.Fatalln("server:", err)
	}
}

func register(_ *governance.Process, s *grpc.Server) error {
	testv1.RegisterTestServiceServer(s, echo{})
	return nil
}

// echo is the service.
type echo struct {
	testv1.UnimplementedTestServiceServer
}

// UnaryCall answers with what it got.
func (echo) UnaryCall(_ context.Context, req *testv1.SimpleRequest) (*testv1.SimpleResponse, error) {
	return &testv1.SimpleResponse{Payload: req.GetPayload()}, nil
}
