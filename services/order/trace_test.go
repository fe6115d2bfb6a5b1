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

// TestOneTraceOfAnOrder: every hop and every query of CreateOrder is in one trace, and the log carries its id.
func TestOneTraceOfAnOrder(t *testing.T) {
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
	spans.Reset()
	if _, err := client.CreateOrder(t.Context(), request("", "sku-99", 1000)); err == nil { // declined, so that it is undone too
		t.Fatal("it was not declined")
	}
	var id string
	names := map[string]string{} // by trace
	pgtest.Eventually(t, "the span of the call ended", func() bool {
		clear(names)
		for _, span := range spans.Ended() {
			trace := span.SpanContext().TraceID().String()
			names[trace] += span.SpanKind().String() + " " + span.Name() + "\n"
			if strings.HasPrefix(span.Name(), "order.v1.OrderService/CreateOrder") {
				id = trace
			}
		}
		return id != ""
	})
	for _, want := range []string{
		"server order.v1.OrderService/CreateOrder", "client user.v1.UserService/GetUser", "server user.v1.UserService/GetUser",
		"client inventory.v1.InventoryService/Reserve", "server inventory.v1.InventoryService/Reserve",
		"client payment.v1.PaymentService/Charge", "server payment.v1.PaymentService/Charge", "server payment.v1.PaymentService/Refund",
		"client INSERT", "client UPDATE",
	} {
		if !strings.Contains(names[id], want) {
			t.Errorf("no span %q among\n%s", want, names[id])
		}
	}
	for _, unwanted := range []string{"client BEGIN", "client COMMIT"} { // each step is one statement; as many again would go around it
		if strings.Contains(names[id], unwanted) {
			t.Errorf("a span %q among\n%s", unwanted, names[id])
		}
	}
	if !strings.Contains(log.String(), id) {
		t.Errorf("the log does not carry %s:\n%s", id, log.String())
	}
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
