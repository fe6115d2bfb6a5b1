package loadgen

import (
	"context"
	"errors"
	"net"
	"regexp"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// till is an OrderService that sells everything and remembers what.
type till struct {
	orderv1.UnimplementedOrderServiceServer
	mu   sync.Mutex
	sold []*orderv1.CreateOrderRequest
}

func (s *till) CreateOrder(_ context.Context, r *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sold = append(s.sold, r)
	return &orderv1.CreateOrderResponse{}, nil
}

// TestBackgroundOrders_WaitForTheirTarget starts a load generator before the service that it calls exists.
func TestBackgroundOrders_WaitForTheirTarget(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Targets: map[string]Target{"orderservice": {Name: "orderservice", Address: address}}, OrdersTarget: "orderservice", OrdersRate: 50}
	generatorAddress, _ := program(t, "loadgen", func(p *governance.Process, s *grpc.Server) error { return Register(p, s, cfg) })
	conn, err := grpc.NewClient(generatorAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := loadgenv1.NewLoadGeneratorClient(conn)
	orders := func() (*loadgenv1.LoadStats, error) {
		return client.GetLoad(t.Context(), &loadgenv1.GetLoadRequest{Name: BackgroundOrders})
	}
	begun := time.Now()
	eventually(t, "half a second without orders", func() bool {
		if got, err := orders(); status.Code(err) != codes.NotFound {
			t.Fatalf("orders are placed before their target exists: %v, %v", got, err)
		}
		return time.Since(begun) > 500*time.Millisecond
	})

	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("another program took the port:", err)
	}
	shop, server := &till{}, grpc.NewServer()
	orderv1.RegisterOrderServiceServer(server, shop)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			t.Error(err)
		}
	})
	eventually(t, "orders are confirmed", func() bool {
		got, err := orders()
		if len(got.GetErrors()) > 0 {
			t.Fatalf("calls failed: %v", got)
		}
		return err == nil && got.GetOk() > 10
	})
	shop.mu.Lock()
	defer shop.mu.Unlock()
	user, sku := regexp.MustCompile(`^u-[1-9]\d*$`), regexp.MustCompile(`^sku-[1-9]\d?$`)
	for _, r := range shop.sold {
		if !user.MatchString(r.GetUserId()) || len(r.GetLines()) != 1 || !sku.MatchString(r.GetLines()[0].GetSku()) || r.GetLines()[0].GetQuantity() != 1 {
			t.Errorf("sold %v", r)
		}
	}
}

// TestBackgroundOrders_TargetNeverExists checks that a load generator stops while it waits.
func TestBackgroundOrders_TargetNeverExists(t *testing.T) {
	cfg := Config{Targets: map[string]Target{"orderservice": {Name: "orderservice", Address: "127.0.0.1:1"}}, OrdersTarget: "orderservice", OrdersRate: 5}
	_, stop := program(t, "loadgen", func(p *governance.Process, s *grpc.Server) error { return Register(p, s, cfg) })
	// The clean-up of program checks how it ends.
	stop()
}
