package contracttest

import (
	"crypto/rand"
	"testing"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/contracts"
)

// Verify replays all contracts of a provider.
func Verify(t *testing.T, provider string, conn grpc.ClientConnInterface) {
	t.Helper()
	all, err := contracts.All()
	if err != nil {
		t.Fatal(err)
	}
	replayer, consumers := &contracts.Replayer{Run: rand.Text()}, 0
	for _, c := range all {
		if c.Provider != provider {
			continue
		}
		consumers++
		for _, i := range c.Interactions {
			t.Run(c.Consumer+"/"+i.Name, func(t *testing.T) {
				for _, breach := range replayer.Replay(t.Context(), conn, c, i).Breaches() {
					t.Error(breach)
				}
			})
		}
	}
	if consumers == 0 {
		t.Errorf("no contract has the provider %s", provider)
	}
}
