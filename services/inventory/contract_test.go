package inventory

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
)

// TestContracts replays each interaction on a database of its own: they all are about order o-1.
func TestContracts(t *testing.T) {
	c, err := contracts.Load("orderservice", "inventoryservice")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range c.Interactions {
		p := program(t)
		w := world{t, inventoryv1.NewInventoryServiceClient(p.Conn)}
		states := map[string]func(*testing.T){
			"nothing": func(*testing.T) {},
			"o-1 is reserved": func(t *testing.T) {
				if _, err := w.reserve("o-1", line("sku-2", 3)); err != nil {
					t.Fatal(err)
				}
			},
			"o-1 is released": func(t *testing.T) {
				if err := w.release("o-1"); err != nil {
					t.Fatal(err)
				}
			},
		}
		contracts.VerifyOne(t, p.Conn, c, i, states)
	}
}
