package contracts_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/contracts"
	"github.com/grpc-sandbox/sandbox/services/contracts/contracttest"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
)

const (
	isReserved  = inventoryv1.ReservationState_RESERVATION_STATE_RESERVED
	isReleased  = inventoryv1.ReservationState_RESERVATION_STATE_RELEASED
	isCommitted = inventoryv1.ReservationState_RESERVATION_STATE_COMMITTED
)

// warehouse remembers reservations. It ignores a Release if forgets is set.
type warehouse struct {
	inventoryv1.UnimplementedInventoryServiceServer
	holdings map[string]inventoryv1.ReservationState
	forgets  bool
	err      error
}

func (w *warehouse) Release(_ context.Context, r *inventoryv1.ReleaseRequest) (*inventoryv1.ReleaseResponse, error) {
	if !w.forgets {
		w.holdings[r.GetOrderId()] = isReleased
	}
	return &inventoryv1.ReleaseResponse{}, w.err
}

func (w *warehouse) ListReservations(_ *inventoryv1.ListReservationsRequest, stream grpc.ServerStreamingServer[inventoryv1.Reservation]) error {
	for id, state := range w.holdings {
		if err := stream.Send(&inventoryv1.Reservation{OrderId: id, State: state}); err != nil {
			return err
		}
	}
	return nil
}

func TestCleanup_Reservations(t *testing.T) {
	for _, c := range []struct {
		sentence string
		w        warehouse
		fails    string
	}{
		{"only the run's own reservations are released", warehouse{}, ""},
		{"a release without effect is an error", warehouse{forgets: true}, "cleaning up what inventoryservice holds: it still holds something for [contract-me-1]"},
		{"a release that fails", warehouse{err: errors.New("no")}, "cleaning up what inventoryservice holds for contract-me-1: "},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			others := map[string]inventoryv1.ReservationState{"o-1": isReserved, "contract-me2-1": isReserved, "contract-me-2": isCommitted, "contract-me-3": isReleased}
			c.w.holdings = map[string]inventoryv1.ReservationState{"contract-me-1": isReserved}
			for id, state := range others {
				c.w.holdings[id] = state
			}
			conn, _ := contracttest.Serve(t, func(s *grpc.Server) { inventoryv1.RegisterInventoryServiceServer(s, &c.w) })
			n, err := contracts.Cleanup(t.Context(), conn, "inventoryservice", "me")
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if n != 1 || err != nil || c.w.holdings["contract-me-1"] != isReleased {
				t.Errorf("cleaned up %d, %v; now %v", n, err, c.w.holdings)
			}
			for id, state := range others {
				if c.w.holdings[id] != state {
					t.Errorf("%s is %s now", id, c.w.holdings[id])
				}
			}
			if n, err := contracts.Cleanup(t.Context(), conn, "inventoryservice", "me"); n != 0 || err != nil {
				t.Errorf("the second time: cleaned up %d, %v", n, err)
			}
		})
	}
}

// till remembers payments.
type till struct {
	paymentv1.UnimplementedPaymentServiceServer
	charged []string
}

func (p *till) Refund(_ context.Context, r *paymentv1.RefundRequest) (*paymentv1.RefundResponse, error) {
	p.charged = slices.DeleteFunc(p.charged, func(id string) bool { return id == r.GetOrderId() })
	return &paymentv1.RefundResponse{}, nil
}

func (p *till) ListPayments(_ *paymentv1.ListPaymentsRequest, stream grpc.ServerStreamingServer[paymentv1.Payment]) error {
	for _, id := range p.charged {
		if err := stream.Send(&paymentv1.Payment{OrderId: id, State: paymentv1.PaymentState_PAYMENT_STATE_CHARGED}); err != nil {
			return err
		}
	}
	return nil
}

func TestCleanup_Payments(t *testing.T) {
	p := &till{charged: []string{"contract-me-1", "o-1", "contract-me-2"}}
	conn, _ := contracttest.Serve(t, func(s *grpc.Server) { paymentv1.RegisterPaymentServiceServer(s, p) })
	if n, err := contracts.Cleanup(t.Context(), conn, "paymentservice", "me"); n != 2 || err != nil || !slices.Equal(p.charged, []string{"o-1"}) {
		t.Errorf("refunded %d, %v; charged: %v", n, err, p.charged)
	}
	if n, err := contracts.Cleanup(t.Context(), nil, "userservice", "me"); n != 0 || err != nil {
		t.Errorf("a provider that never holds anything: %d, %v", n, err)
	}
}
