package live

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestFirstAnswer_UnreachableService(t *testing.T) {
	conn, err := grpc.NewClient("passthrough:///userservice", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return nil, errors.New("no pod of userservice is ready")
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = firstAnswer(t.Context(), conn, time.Second)
	fixture.WantError(t, err, "no pod of userservice is ready", "try: sandbox logs userservice")
}
