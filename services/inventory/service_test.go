package inventory

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Stopping(m)) }

func service(t *testing.T) inventoryv1.InventoryServiceClient {
	t.Helper()
	return inventoryv1.NewInventoryServiceClient(program(t).Conn)
}

func program(t *testing.T) pgtest.Program {
	t.Helper()
	server := pgtest.Shared(t)
	cfg := server.Config(t, server.Database(t), "inventoryservice", "inventory")
	cfg.Migrations = Migrations()
	p := pgtest.Serve(t, "inventoryservice", cfg, Register)
	client := inventoryv1.NewInventoryServiceClient(p.Conn)
	pgtest.Succeeds(t, "the database is ready", func(ctx context.Context) error {
		_, err := client.GetStock(ctx, &inventoryv1.GetStockRequest{Sku: "sku-1"})
		return err
	})
	return p
}

// world is a running service with short methods for its calls.
type world struct {
	t      *testing.T
	client inventoryv1.InventoryServiceClient
}

func (w world) reserve(order string, lines ...*inventoryv1.Line) (int64, error) {
	got, err := w.client.Reserve(w.t.Context(), &inventoryv1.ReserveRequest{OrderId: order, Lines: lines})
	return got.GetTotalCents(), err
}

func (w world) release(order string) error {
	_, err := w.client.Release(w.t.Context(), &inventoryv1.ReleaseRequest{OrderId: order})
	return err
}

func (w world) commit(order string) error {
	_, err := w.client.Commit(w.t.Context(), &inventoryv1.CommitRequest{OrderId: order})
	return err
}

// stock returns the counters of a SKU as "available/reserved/sold".
func (w world) stock(sku string) string {
	got, err := w.client.GetStock(w.t.Context(), &inventoryv1.GetStockRequest{Sku: sku})
	if err != nil {
		w.t.Error(err)
	}
	return fmt.Sprintf("%d/%d/%d", got.GetAvailable(), got.GetReserved(), got.GetSold())
}

func line(sku string, quantity int32) *inventoryv1.Line {
	return &inventoryv1.Line{Sku: sku, Quantity: quantity}
}

func TestReservation_Lifecycle(t *testing.T) {
	w := world{t, service(t)}
	step := func(what string, err error, code codes.Code, reason, sku100 string) {
		t.Helper()
		if status.Code(err) != code || refusal.Reason(err) != reason {
			t.Errorf("%s: got %v", what, err)
		}
		if got := w.stock("sku-100"); got != sku100 {
			t.Errorf("%s: the stock is %s, want %s", what, got, sku100)
		}
	}
	total, err := w.reserve("a", line("sku-100", 10), line("sku-1", 2), line("sku-100", 20))
	step("reserve, two lines of one sku", err, codes.OK, "", "70/30/0")
	if total != 30*10_000+2*100 {
		t.Errorf("total is %d cents", total)
	}
	again, err := w.reserve("a", line("sku-100", 10), line("sku-1", 2), line("sku-100", 20))
	step("reserve again", err, codes.OK, "", "70/30/0")
	if again != total {
		t.Errorf("total of the repeated call is %d cents", again)
	}
	_, err = w.reserve("a", line("sku-100", 30), line("sku-1", 3))
	step("reserve again, with other lines", err, codes.InvalidArgument, "", "70/30/0")
	_, err = w.reserve("b", line("sku-1", 1), line("sku-100", 71))
	step("reserve more than there is", err, codes.FailedPrecondition, ReasonOutOfStock, "70/30/0")
	if got := w.stock("sku-1"); got != "9999998/2/0" {
		t.Errorf("a refused order keeps a line: %s", got)
	}
	_, err = w.reserve("c", line("sku-101", 1))
	step("reserve an unknown SKU", err, codes.NotFound, "", "70/30/0")
	step("commit", w.commit("a"), codes.OK, "", "70/0/30")
	step("commit again", w.commit("a"), codes.OK, "", "70/0/30")
	step("release what is sold", w.release("a"), codes.FailedPrecondition, ReasonCommitted, "70/0/30")
	_, err = w.reserve("d", line("sku-100", 5))
	step("reserve another", err, codes.OK, "", "65/5/30")
	step("release", w.release("d"), codes.OK, "", "70/0/30")
	step("release again", w.release("d"), codes.OK, "", "70/0/30")
	step("commit what was released", w.commit("d"), codes.FailedPrecondition, ReasonReleased, "70/0/30")
	step("release what was never reserved", w.release("late"), codes.OK, "", "70/0/30")
	_, err = w.reserve("late", line("sku-100", 5))
	step("a reservation that comes after its release", err, codes.FailedPrecondition, ReasonReleased, "70/0/30")
	step("commit an unknown order", w.commit("unknown"), codes.FailedPrecondition, ReasonNotReserved, "70/0/30")
	_, err = w.reserve("e")
	step("reserve nothing", err, codes.InvalidArgument, "", "70/0/30")
}
