package inventory

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
)

func TestContracts_Replayed(t *testing.T) {
	contracttest.Verify(t, "inventoryservice", program(t).Conn)
}
