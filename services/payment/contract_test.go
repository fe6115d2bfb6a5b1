package payment

import (
	"testing"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

// TestContracts replays each interaction on a database of its own: they all are about order o-1.
func TestContracts(t *testing.T) {
	c, err := contracts.Load("orderservice", "paymentservice")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range c.Interactions {
		p := program(t)
		client := paymentv1.NewPaymentServiceClient(p.Conn)
		states := map[string]func(*testing.T){
			"nothing": func(*testing.T) {},
			"o-1 is charged": func(t *testing.T) {
				if _, err := client.Charge(t.Context(), &paymentv1.ChargeRequest{OrderId: "o-1", UserId: "u-42", AmountCents: 600}); err != nil {
					t.Fatal(err)
				}
			},
			"o-1 is refunded": func(t *testing.T) {
				if _, err := client.Refund(t.Context(), &paymentv1.RefundRequest{OrderId: "o-1"}); err != nil {
					t.Fatal(err)
				}
			},
		}
		contracts.VerifyOne(t, p.Conn, c, i, states)
	}
}
