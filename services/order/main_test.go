package order

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

func TestMain(m *testing.M) {
	if point := os.Getenv("ORDER_CRASH_AT"); point != "" {
		os.Exit(crashAt(point))
	}
	goleak.VerifyTestMain(pgtest.Stopping(m))
}

// crashAt runs an orderservice that kills itself at a point. With ORDER_PRUNES it also prunes all finished orders.
func crashAt(point string) int {
	id, err := governance.NewIdentity(governance.IdentityConfig{Dir: os.Getenv("ORDER_TLS")})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg := Config{Users: os.Getenv("USERS_ADDR"), Inventory: os.Getenv("INVENTORY_ADDR"), Payment: os.Getenv("PAYMENT_ADDR"), Lease: testLease,
		Limit: time.Minute, Every: time.Hour, At: func(at string) {
			if at == point {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}}
	if os.Getenv("ORDER_PRUNES") != "" {
		cfg.PruneAge, cfg.PruneEvery = time.Millisecond, 20*time.Millisecond
	}
	database := postgres.Config{Addr: os.Getenv("ORDER_DB"), Database: os.Getenv("ORDER_DB_NAME"), Role: "orders",
		TLS: id.ClientTLS(pgtest.ServerName), Acquire: 10 * time.Second, Connect: 10 * time.Second, Work: 20 * time.Second}
	program := governance.Config{DrainDelay: governance.Off, Service: "orderservice", ListenAddr: "127.0.0.1:0", HealthAddr: "127.0.0.1:0", MetricsAddr: "127.0.0.1:0", TLSDir: "off",
		Ready: func(a governance.Addresses) { fmt.Println(a.Service) }}
	if err := postgres.Run(context.Background(), os.Stderr, program, database, Register(cfg)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// testLease is longer than any test. Tests that need leases to end call expire.
const testLease = time.Hour

// shop is the three other services, and what is needed to start an orderservice.
type shop struct {
	server   *pgtest.Server
	database string
	cfg      Config
	conns    map[string]*grpc.ClientConn
	stop     map[string]func()
}

func openShop(t testing.TB, server *pgtest.Server, database string) shop {
	t.Helper()
	s := shop{server: server, database: database, conns: map[string]*grpc.ClientConn{}, stop: map[string]func(){}}
	serve := func(name, role string, cfg postgres.Config, register func(*governance.Process, *grpc.Server, *postgres.DB) error) string {
		p := pgtest.Serve(t, name, cfg, register)
		s.conns[role], s.stop[role] = p.Conn, p.Stop
		return p.Address
	}
	users, stock, payments := server.Config(t, database, "userservice", "users"), server.Config(t, database, "inventoryservice", "inventory"),
		server.Config(t, database, "paymentservice", "payments")
	users.Migrations, stock.Migrations, payments.Migrations = user.Migrations(), inventory.Migrations(), payment.Migrations()
	s.cfg = Config{
		Users:     serve("userservice", "users", users, user.Register(user.Config{})),
		Inventory: serve("inventoryservice", "inventory", stock, inventory.Register),
		Payment:   serve("paymentservice", "payments", payments, payment.Register),
		Lease:     testLease, Limit: 20 * time.Second, Every: 50 * time.Millisecond,
	}
	return s
}

func (s shop) orders(t testing.TB) postgres.Config {
	cfg := s.server.Config(t, s.database, "orderservice", "orders")
	cfg.Migrations = Migrations()
	return cfg
}

// serve runs an orderservice and waits until the whole shop is available.
func (s shop) serve(t testing.TB) orderv1.OrderServiceClient {
	t.Helper()
	client := orderv1.NewOrderServiceClient(pgtest.Serve(t, "orderservice", s.orders(t), Register(s.cfg)).Conn)
	s.wait(t, client)
	return client
}

func (s shop) wait(t testing.TB, client orderv1.OrderServiceClient) {
	t.Helper()
	pgtest.Succeeds(t, "the shop is open", func(ctx context.Context) error {
		if _, err := client.Audit(ctx, &orderv1.AuditRequest{}); err != nil {
			return err
		}
		_, err := userv1.NewUserServiceClient(s.conns["users"]).GetUser(ctx, &userv1.GetUserRequest{UserId: "u-9999"})
		switch {
		case status.Code(err) == codes.NotFound:
			return nil
		case err == nil:
			return errors.New("a user was found that does not exist")
		}
		return err
	})
}

func (s shop) inventory() inventoryv1.InventoryServiceClient {
	return inventoryv1.NewInventoryServiceClient(s.conns["inventory"])
}

func (s shop) payment() paymentv1.PaymentServiceClient {
	return paymentv1.NewPaymentServiceClient(s.conns["payments"])
}

// expire ends the leases of all orders.
func (s shop) expire(t *testing.T) {
	t.Helper()
	s.sql(t, "UPDATE orders SET lease = now() - interval '1 second'")
}

// sql changes the data of orderservice.
func (s shop) sql(t *testing.T, statement string) {
	t.Helper()
	db, err := postgres.Open(s.server.Config(t, s.database, "orderservice", "orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Tx(t.Context(), func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func request(key, sku string, quantity int32) *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{UserId: "u-42", IdempotencyKey: key, Lines: []*orderv1.OrderLine{{Sku: sku, Quantity: quantity}, {Sku: "sku-1", Quantity: 1}}}
}

// settled waits until no order is in flight, and fails the test on a violation.
func settled(t *testing.T, client interface {
	Audit(context.Context, *orderv1.AuditRequest, ...grpc.CallOption) (*orderv1.AuditResponse, error)
}) *orderv1.AuditResponse {
	t.Helper()
	var last *orderv1.AuditResponse
	pgtest.Eventually(t, "no order is in flight", func() bool {
		got, err := client.Audit(t.Context(), &orderv1.AuditRequest{})
		if err != nil {
			return false
		}
		last = got
		if len(got.GetViolations()) > 0 {
			t.Fatal(got.GetViolations())
		}
		return got.GetInFlight() == 0
	})
	if !last.GetConsistent() {
		t.Error("inconsistent:", last)
	}
	return last
}
