package order

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

// TestSaga_KilledAtEveryStep kills an orderservice at each point of the saga. Another one finishes the orders, and the callers, who repeat
// their requests with the same key, get one order each.
func TestSaga_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	survivor := s.serve(t)
	tls := server.TLSFolder(t, "orderservice")
	forward := []string{"begun", "before reserve", "after reserve", "reserved", "before charge", "after charge", "charged", "before commit", "after commit", "confirmed"}
	backward := []string{"cancelling", "before refund", "after refund", "before release", "after release", "cancelled"}
	// From charged on, an order is sold.
	const sold = 4
	points := slices.Concat(forward, backward)
	undone := func(point string) bool { return slices.Contains(backward, point) }
	order := func(point string) *orderv1.CreateOrderRequest {
		r := request("order "+point, "sku-2", int32(1+slices.Index(points, point)))
		if undone(point) {
			// PaymentService declines this amount.
			r.Lines[0] = &orderv1.OrderLine{Sku: "sku-99", Quantity: 1000}
		}
		return r
	}
	t.Run("killed", func(t *testing.T) {
		for _, point := range points {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				s.victim(t, point, tls, order(point))
			})
		}
	})
	s.expire(t)
	if audit := settled(t, survivor); audit.GetConfirmed() != sold || audit.GetCancelled() < int64(len(points)-sold) {
		t.Errorf("after the recovery: %v", audit)
	}
	var money int64
	for _, point := range points {
		got, err := survivor.CreateOrder(t.Context(), order(point))
		money += got.GetOrder().GetTotalCents()
		switch {
		case undone(point) && refusal.Reason(err) != payment.ReasonDeclined, !undone(point) && got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED:
			t.Errorf("killed %s, repeated request: got %v, %v", point, got, err)
		}
	}
	if audit := settled(t, survivor); audit.GetConfirmed() != int64(len(forward)) || audit.GetChargedCents() != money {
		t.Errorf("%d orders with a total of %d were acknowledged, the audit reports %v", len(forward), money, audit)
	}
}

// crashing is the command for an orderservice that kills itself at a point.
func (s shop) crashing(ctx context.Context, point, tls string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "ORDER_CRASH_AT="+point, "ORDER_TLS="+tls, "ORDER_DB="+s.server.Addr(), "ORDER_DB_NAME="+s.database,
		"USERS_ADDR="+s.cfg.Users, "INVENTORY_ADDR="+s.cfg.Inventory, "PAYMENT_ADDR="+s.cfg.Payment)
	cmd.Stderr = os.Stderr
	return cmd
}

// victim starts an orderservice that kills itself at a point, and makes a call that leads it there.
func (s shop) victim(t *testing.T, point, tls string, r *orderv1.CreateOrderRequest) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	cmd := s.crashing(ctx, point, tls)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %v", err, cmd.Wait())
	}
	conn, err := grpc.NewClient(strings.TrimSpace(address), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	pgtest.Eventually(t, "the victim ended", func() bool {
		// A busy machine may separate the victim from its database or the other services. Its caller then gets the same error as when it dies.
		if _, err := orderv1.NewOrderServiceClient(conn).CreateOrder(ctx, r); status.Code(err) != codes.Unavailable {
			t.Errorf("the victim's caller got %v", err)
			// The victim did not reach the point.
			end()
		}
		select {
		case said := <-ended:
			if said == nil || !strings.Contains(said.Error(), "killed") {
				t.Errorf("the victim ended with %v", said)
			}
			return true
		default:
			return false
		}
	})
}
