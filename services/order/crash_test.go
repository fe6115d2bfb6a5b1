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

// TestKilledAtEveryStep kills an orderservice at each point; another one finishes what they left, and their callers, who ask again with
// the same key, get one order each.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	survivor := s.serve(t)
	tls := server.TLSFolder(t, "orderservice")
	forward := []string{"begun", "before reserve", "after reserve", "reserved", "before charge", "after charge", "charged", "before commit", "after commit", "confirmed"}
	backward := []string{"cancelling", "before refund", "after refund", "before release", "after release", "cancelled"}
	const sold = 4 // from charged on
	points := slices.Concat(forward, backward)
	undone := func(point string) bool { return slices.Contains(backward, point) }
	order := func(point string) *orderv1.CreateOrderRequest {
		r := request("order "+point, "sku-2", int32(1+slices.Index(points, point)))
		if undone(point) {
			r.Lines[0] = &orderv1.OrderLine{Sku: "sku-99", Quantity: 1000} // declined
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
		t.Errorf("the survivor left %v", audit)
	}
	var money int64
	for _, point := range points {
		got, err := survivor.CreateOrder(t.Context(), order(point))
		money += got.GetOrder().GetTotalCents()
		switch {
		case undone(point) && refusal.Reason(err) != payment.ReasonDeclined, !undone(point) && got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED:
			t.Errorf("killed %s and asked again, it answers %v, %v", point, got, err)
		}
	}
	if audit := settled(t, survivor); audit.GetConfirmed() != int64(len(forward)) || audit.GetChargedCents() != money {
		t.Errorf("%d orders over %d were acknowledged, and the audit says %v", len(forward), money, audit)
	}
}

// victim is an orderservice that kills itself at a point, and the call that leads it there.
func (s shop) victim(t *testing.T, point, tls string, r *orderv1.CreateOrderRequest) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), "ORDER_CRASH_AT="+point, "ORDER_TLS="+tls, "ORDER_DB="+s.server.Addr(), "ORDER_DB_NAME="+s.database,
		"USERS_ADDR="+s.cfg.Users, "INVENTORY_ADDR="+s.cfg.Inventory, "PAYMENT_ADDR="+s.cfg.Payment)
	cmd.Stderr = os.Stderr
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
		// A busy machine may keep it from the database, or from the others; then its caller is told the same as when it dies.
		if _, err := orderv1.NewOrderServiceClient(conn).CreateOrder(ctx, r); status.Code(err) != codes.Unavailable {
			t.Errorf("the caller of the victim got %v", err)
			end() // it did not reach the point
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
