// Package contracttest records contracts in consumers' tests, and replays them in providers'.
package contracttest

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// Play gives the consumer's own code, in use, a provider that knows one interaction and nothing else. It fails when the code calls anything
// else, or does not call.
func Play(t testing.TB, i contracts.Interaction, use func(grpc.ClientConnInterface)) {
	t.Helper()
	called := 0
	conn, stop := Serve(t, func(*grpc.Server) {}, grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		called++
		err := contracts.Act(stream, i)
		if status.Code(err) == codes.Aborted {
			t.Errorf("%s: %v", i.Name, err)
		}
		return err
	}))
	use(conn)
	stop()
	if called == 0 {
		t.Errorf("%s: nobody called %s", i.Name, i.Method)
	}
}
