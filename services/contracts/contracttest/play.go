// Package contracttest records contracts in the tests of consumers and replays them in the tests of providers.
package contracttest

import (
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// Play calls use, the consumer's own code, with a connection to a provider that knows this one interaction. It fails the test if the code
// makes another call or none.
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
		t.Errorf("%s: %s was not called", i.Name, i.Method)
	}
}
