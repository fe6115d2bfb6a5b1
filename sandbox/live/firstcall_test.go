package live

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/grpc-sandbox/sandbox/charts"
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
	err = firstAnswer(t.Context(), conn, charts.Service{Name: "userservice", Read: charts.FirstCall().Read}, time.Second)
	fixture.WantError(t, err, "no pod of userservice is ready", "try: sandbox logs userservice")
}

// TestServices_ReadIsAMethodWithAValidRequest checks the records of the charts against the protos.
func TestServices_ReadIsAMethodWithAValidRequest(t *testing.T) {
	for _, s := range charts.Services() {
		if s.Read.Name == "" {
			continue
		}
		answered := errors.New("the call was made")
		err := invoke(t.Context(), connFunc(func(method string) error {
			if method != "/"+s.Read.Name {
				t.Errorf("%s: called %s", s.Name, method)
			}
			return answered
		}), s.Read)
		if !errors.Is(err, answered) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// connFunc is a connection without streams.
type connFunc func(method string) error

func (f connFunc) Invoke(_ context.Context, method string, _, _ any, _ ...grpc.CallOption) error {
	return f(method)
}

func (connFunc) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("no streams")
}
