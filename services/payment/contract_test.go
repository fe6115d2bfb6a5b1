package payment

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
)

func TestContracts_Replayed(t *testing.T) { contracttest.Verify(t, "paymentservice", program(t).Conn) }
