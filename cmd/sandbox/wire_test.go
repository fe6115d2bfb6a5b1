package main

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestAFirstCallThatNobodyAnswersEndsWithItsReason(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///userservice", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return nil, errors.New("no pod of userservice is ready")
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = firstAnswer(t.Context(), conn, time.Second)
	if err == nil || !strings.Contains(err.Error(), "no pod of userservice is ready") || !strings.Contains(err.Error(), "try: sandbox logs userservice") {
		t.Errorf("got %v", err)
	}
}
