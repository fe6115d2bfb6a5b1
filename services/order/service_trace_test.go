package order

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/inventory"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/postgres/pgtest"
	"github.com/grpc-sandbox/sandbox/services/user"
)

// TestCreateOrder_OneTrace checks that every call and every query of CreateOrder is in one trace, and that the log has its id.
func TestCreateOrder_OneTrace(t *testing.T) {
	t.Parallel()
	server := pgtest.Shared(t)
	spans := tracetest.NewSpanRecorder()
	var log lockedBuffer
	recorded := func(register func(*governance.Process, *grpc.Server, *postgres.DB) error) func(*governance.Process, *grpc.Server, *postgres.DB) error {
		return func(p *governance.Process, s *grpc.Server, db *postgres.DB) error {
			p.Tracing.(*sdktrace.TracerProvider).RegisterSpanProcessor(spans)
			p.Log = governance.NewLog(&log, slog.LevelInfo)
			return register(p, s, db)
		}
	}
	s := shop{server: server, database: server.Database(t), conns: map[string]*grpc.ClientConn{}}
	serve := func(name, role string, register func(*governance.Process, *grpc.Server, *postgres.DB) error) string {
		cfg := server.Config(t, s.database, name, role)
		switch role {
		case "users":
			cfg.Migrations = user.Migrations()
		case "inventory":
			cfg.Migrations = inventory.Migrations()
		case "payments":
			cfg.Migrations = payment.Migrations()
		case "orders":
			cfg.Migrations = Migrations()
		}
		p := pgtest.Serve(t, name, cfg, recorded(register))
		s.conns[role] = p.Conn
		return p.Address
	}
	s.cfg = Config{Users: serve("userservice", "users", user.Register(user.Config{})), Inventory: serve("inventoryservice", "inventory", inventory.Register),
		Payment: serve("paymentservice", "payments", payment.Register), Limit: 20 * time.Second}
	serve("orderservice", "orders", Register(s.cfg))
	client := orderv1.NewOrderServiceClient(s.conns["orders"])
	s.wait(t, client)
	for _, c := range []struct {
		sentence string
		quantity int32
		want     []string
	}{
		{"sold", 1, []string{
			"server order.v1.OrderService/CreateOrder", "client user.v1.UserService/GetUser", "server user.v1.UserService/GetUser",
			"client inventory.v1.InventoryService/Reserve", "server inventory.v1.InventoryService/Reserve",
			"client payment.v1.PaymentService/Charge", "server payment.v1.PaymentService/Charge",
			"client inventory.v1.InventoryService/Commit", "server inventory.v1.InventoryService/Commit",
		}},
		{"declined, and undone", 1000, []string{
			"client payment.v1.PaymentService/Charge", "server payment.v1.PaymentService/Refund", "server inventory.v1.InventoryService/Release",
		}},
	} {
		spans.Reset()
		if _, err := client.CreateOrder(t.Context(), request("", "sku-99", c.quantity)); (err == nil) != (c.quantity == 1) {
			t.Fatalf("%s: got %v", c.sentence, err)
		}
		id, names := traceOf(t, spans, "order.v1.OrderService/CreateOrder")
		for _, want := range c.want {
			if !strings.Contains(names, want) {
				t.Errorf("%s: no span %q among\n%s", c.sentence, want, names)
			}
		}
		// Each step is one statement. A transaction would need three.
		if steps := strings.Count(names, "client pool.acquire"); steps != 7 || strings.Contains(names, "client BEGIN") || strings.Contains(names, "client COMMIT") {
			t.Errorf("%s: %d connections acquired, want 7 and no transaction among\n%s", c.sentence, steps, names)
		}
		// Only failures are logged.
		if c.quantity > 1 && !strings.Contains(log.String(), id) {
			t.Errorf("the log does not contain %s:\n%s", id, log.String())
		}
	}
}

// traceOf returns the id of the trace of the call with that server span, and the kind and name of each of its spans.
func traceOf(t *testing.T, spans *tracetest.SpanRecorder, call string) (id, names string) {
	t.Helper()
	pgtest.Eventually(t, "the span of the call ended", func() bool {
		byTrace := map[string]string{}
		for _, span := range spans.Ended() {
			trace := span.SpanContext().TraceID().String()
			byTrace[trace] += span.SpanKind().String() + " " + span.Name() + "\n"
			if strings.HasPrefix(span.Name(), call) {
				id = trace
			}
		}
		names = byTrace[id]
		return id != ""
	})
	return id, names
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
