package order

import (
	"bufio"
	"os"
	"os/exec"
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

// TestKilledAtEveryStep kills an orderservice at each point; another one finishes what it left, and the caller, who asks again with the
// same key, gets one order.
func TestKilledAtEveryStep(t *testing.T) {
	server := pgtest.Shared(t)
	s := openShop(t, server, server.Database(t))
	survivor := s.serve(t)
	tls := server.TLSFolder(t, "orderservice")
	forward := []string{"begun", "before reserve", "after reserve", "reserved", "before charge", "after charge", "charged", "before commit", "after commit", "confirmed"}
	backward := []string{"cancelling", "before refund", "after refund", "before release", "after release", "cancelled"}
	confirmed, money := int64(0), int64(0)
	for i, point := range append(forward, backward...) {
		t.Run(point, func(t *testing.T) {
			undone := i >= len(forward)
			r := request("order "+point, "sku-2", int32(i+1))
			if undone {
				r.Lines[0] = &orderv1.OrderLine{Sku: "sku-99", Quantity: 1000} // declined
			}
			victim, wait := s.victim(t, point, tls)
			if _, err := victim.CreateOrder(t.Context(), r, grpc.WaitForReady(true)); status.Code(err) != codes.Unavailable {
				t.Errorf("the caller of the victim got %v", err)
			}
			if said := wait(); !strings.Contains(said, "killed") {
				t.Errorf("the victim ended with %s", said)
			}
			settled(t, survivor)
			got, err := survivor.CreateOrder(t.Context(), r)
			switch {
			case undone:
				if refusal.Reason(err) != payment.ReasonDeclined {
					t.Errorf("asked again, it answers %v", err)
				}
			case err != nil || got.GetOrder().GetState() != orderv1.OrderState_ORDER_STATE_CONFIRMED:
				t.Errorf("asked again, it answers %v, %v", got, err)
			default:
				confirmed++
				money += got.GetOrder().GetTotalCents()
			}
			if audit := settled(t, survivor); audit.GetConfirmed() != confirmed || audit.GetChargedCents() != money {
				t.Errorf("%d orders over %d were acknowledged, and the audit says %v", confirmed, money, audit)
			}
		})
	}
}

// victim starts an orderservice that will kill itself; wait says how it ended.
func (s shop) victim(t *testing.T, point, tls string) (orderv1.OrderServiceClient, func() string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
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
	return orderv1.NewOrderServiceClient(conn), func() string {
		_ = conn.Close()
		return cmd.Wait().Error()
	}
}
