package order

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// flaky breaks one call: before it is made, or afterwards, so that the answer is lost.
type flaky struct {
	inventoryv1.InventoryServiceClient
	paymentv1.PaymentServiceClient
	call  string
	after bool
	// code is the error; UNAVAILABLE if it is OK.
	code codes.Code
}

func broken[T any](f *flaky, call string, do func() (T, error)) (T, error) {
	var none T
	if f.call != call {
		return do()
	}
	f.call = ""
	if f.after {
		_, _ = do()
	}
	if f.code != codes.OK {
		return none, status.Error(f.code, "it was refused")
	}
	return none, status.Error(codes.Unavailable, "the connection broke")
}

func (f *flaky) Reserve(ctx context.Context, r *inventoryv1.ReserveRequest, o ...grpc.CallOption) (*inventoryv1.ReserveResponse, error) {
	return broken(f, "reserve", func() (*inventoryv1.ReserveResponse, error) { return f.InventoryServiceClient.Reserve(ctx, r, o...) })
}

func (f *flaky) Release(ctx context.Context, r *inventoryv1.ReleaseRequest, o ...grpc.CallOption) (*inventoryv1.ReleaseResponse, error) {
	return broken(f, "release", func() (*inventoryv1.ReleaseResponse, error) { return f.InventoryServiceClient.Release(ctx, r, o...) })
}

func (f *flaky) Commit(ctx context.Context, r *inventoryv1.CommitRequest, o ...grpc.CallOption) (*inventoryv1.CommitResponse, error) {
	return broken(f, "commit", func() (*inventoryv1.CommitResponse, error) { return f.InventoryServiceClient.Commit(ctx, r, o...) })
}

func (f *flaky) Charge(ctx context.Context, r *paymentv1.ChargeRequest, o ...grpc.CallOption) (*paymentv1.ChargeResponse, error) {
	return broken(f, "charge", func() (*paymentv1.ChargeResponse, error) { return f.PaymentServiceClient.Charge(ctx, r, o...) })
}

func (f *flaky) Refund(ctx context.Context, r *paymentv1.RefundRequest, o ...grpc.CallOption) (*paymentv1.RefundResponse, error) {
	return broken(f, "refund", func() (*paymentv1.RefundResponse, error) { return f.PaymentServiceClient.Refund(ctx, r, o...) })
}

// direct calls a Service without a connection.

type direct struct{ *Service }

func (d direct) Audit(ctx context.Context, r *orderv1.AuditRequest, _ ...grpc.CallOption) (*orderv1.AuditResponse, error) {
	return d.Service.Audit(ctx, r)
}

// bareService is an orderservice without a process around it, so that a test can reach each part.
type bareService struct {
	*Service
	flaky *flaky
	rest  *recovery
}

func newBareService(t *testing.T) bareService {
	t.Helper()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	f := &flaky{InventoryServiceClient: s.inventory(), PaymentServiceClient: s.payment()}
	st := &store{db: pgtest.Open(t, s.orders(t)), lease: testLease}
	sg := &saga{store: st, inventory: f, payment: f, log: slog.New(slog.DiscardHandler), limit: 20 * time.Second, at: func(string) {}}
	service := &Service{store: st, saga: sg, buyers: buyers{userv1.NewUserServiceClient(s.conns["users"]), newTestProfiles(t, 1)}, limit: 20 * time.Second}
	pgtest.Succeeds(t, "the shop is open", func(ctx context.Context) error {
		_, err := service.Audit(ctx, nil)
		return err
	})
	return bareService{service, f, &recovery{saga: sg, tracer: noop.NewTracerProvider().Tracer("")}}
}

// TestSaga_CallerGoesAway cancels the call at each point. The order is finished at the next sweep, without waiting for its lease to end.
func TestSaga_CallerGoesAway(t *testing.T) {
	t.Parallel()
	c := newBareService(t)
	for _, point := range []string{"begun", "after reserve", "reserved", "after charge", "charged", "after commit"} {
		t.Run(point, func(t *testing.T) {
			ctx, goAway := context.WithCancel(t.Context())
			defer goAway()
			c.saga.at = func(at string) {
				if at == point {
					goAway()
				}
			}
			if got, err := c.CreateOrder(ctx, request(point, "sku-2", 1)); err == nil && got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CHARGED || ctx.Err() == nil {
				t.Errorf("got %v, %v; caller's context: %v", got, err, ctx.Err())
			}
			c.rest.sweep(t.Context())
			settled(t, direct{c.Service})
		})
	}
}

// TestSaga_EveryCallBreaks breaks each call of the saga, before and after it is made.
func TestSaga_EveryCallBreaks(t *testing.T) {
	t.Parallel()
	ctx, at := t.Context(), newBareService(t)
	service, f, rest := at.Service, at.flaky, at.rest
	for _, c := range []struct {
		call     string
		declined bool
		code     codes.Code
		// state is that of the answer.
		state orderv1.OrderState
	}{
		{"reserve", false, codes.Unavailable, 0},
		{"charge", false, codes.Unavailable, 0},
		{"commit", false, codes.OK, orderv1.OrderState_ORDER_STATE_CHARGED},
		{"refund", true, codes.FailedPrecondition, 0},
		{"release", true, codes.FailedPrecondition, 0},
	} {
		for _, after := range []bool{false, true} {
			name := c.call + " is lost"
			if after {
				name = "the answer of " + name
			}
			t.Run(name, func(t *testing.T) {
				r := request(name, "sku-2", 1)
				if c.declined {
					r.Lines[0] = &orderv1.OrderLine{Sku: "sku-99", Quantity: 1000}
				}
				f.call, f.after = c.call, after
				got, err := service.CreateOrder(ctx, r)
				if status.Code(err) != c.code || got.GetOrder().GetState() != c.state {
					t.Errorf("got %v, %v", got, err)
				}
				if f.call != "" {
					t.Error("the call was never made")
				}
				rest.sweep(ctx)
				settled(t, direct{service})
				got, err = service.CreateOrder(ctx, r)
				if c.declined && refusal.Reason(err) != payment.ReasonDeclined || !c.declined && got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED {
					t.Errorf("repeated request: got %v, %v", got, err)
				}
				settled(t, direct{service})
			})
		}
	}
}

// TestSaga_ChargedOrderIsNotCancelled checks that a charged order only moves forward: its caller was answered that it is sold, so commit is
// repeated whatever it returns.
func TestSaga_ChargedOrderIsNotCancelled(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.PermissionDenied, codes.FailedPrecondition, codes.Unimplemented, codes.Unavailable} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			c := newBareService(t)
			c.flaky.call, c.flaky.code = "commit", code
			got, err := c.CreateOrder(t.Context(), request("k", "sku-2", 1))
			if err != nil || got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CHARGED {
				t.Fatalf("got %v, %v", got, err)
			}
			c.flaky.call = "commit"
			c.rest.sweep(t.Context())
			if now, err := c.Service.Audit(t.Context(), nil); err != nil || now.GetInFlight() != 1 || now.GetCancelled() != 0 {
				t.Errorf("after a refused recovery: %v, %v", now, err)
			}
			if err := c.store.giveUp(t.Context(), c.only(t)); err != nil {
				t.Fatal(err)
			}
			c.rest.sweep(t.Context())
			if now := settled(t, direct{c.Service}); now.GetConfirmed() != 1 {
				t.Errorf("the audit reports %v", now)
			}
		})
	}
}

// only returns the single order in the store.
func (c bareService) only(t *testing.T) *order {
	t.Helper()
	all, err := c.store.ordersAfter(t.Context(), "", 2)
	if err != nil || len(all) != 1 {
		t.Fatalf("there are %d orders, %v", len(all), err)
	}
	return all[0]
}
