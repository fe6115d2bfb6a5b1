// Package order implements order.v1.OrderService. Placing an order is a saga over users, inventory and payments: a crash at any point leaves
// an order that another replica finishes or undoes.
//
// Each order is a row with a state and a lease. The replica that has the lease works on the order. If it dies, the lease ends, and the
// recovery of any replica takes the order over. Finished orders are pruned after Config.PruneAge.
package order

import (
	"context"
	"crypto/sha256"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/payment/paymentv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// Service implements order.v1.OrderService.
type Service struct {
	orderv1.UnimplementedOrderServiceServer
	store  *store
	saga   *saga
	buyers buyers
	limit  time.Duration
}

// Register returns a function that adds the service, with its connections to the other services, its recovery and its pruner, to a gRPC server.
func Register(cfg Config) func(*governance.Process, *grpc.Server, *postgres.DB) error {
	cfg = cfg.withDefaults()
	return func(p *governance.Process, s *grpc.Server, db *postgres.DB) error {
		known, err := newProfiles(cfg.Profiles, cfg.ProfileAge)
		if err != nil {
			return err
		}
		var conns []*grpc.ClientConn
		for _, callee := range []struct {
			name, address string
			fallbacks     []governance.Fallback
		}{
			{"userservice", cfg.Users, []governance.Fallback{governance.FallbackTo(userv1.UserService_GetUser_FullMethodName, known.fallback)}},
			{"inventoryservice", cfg.Inventory, nil},
			{"paymentservice", cfg.Payment, nil},
		} {
			conn, err := p.Dial(callee.address, callee.name, callee.fallbacks...)
			if err != nil {
				return err
			}
			conns = append(conns, conn)
		}
		st := &store{db: db, lease: cfg.Lease}
		sg := &saga{store: st, inventory: inventoryv1.NewInventoryServiceClient(conns[1]), payment: paymentv1.NewPaymentServiceClient(conns[2]),
			log: p.Log, limit: cfg.Limit, at: cfg.At}
		tracer := p.Tracing.Tracer("github.com/grpc-sandbox/sandbox/services/order")
		p.Go((&recovery{saga: sg, every: cfg.Every, tracer: tracer}).run)
		p.Go((&pruner{saga: sg, age: cfg.PruneAge, every: cfg.PruneEvery, tracer: tracer}).run)
		orderv1.RegisterOrderServiceServer(s, &Service{store: st, saga: sg, buyers: buyers{userv1.NewUserServiceClient(conns[0]), known}, limit: cfg.Limit})
		return nil
	}
}

// CreateOrder answers after the order was confirmed or undone.
func (s *Service) CreateOrder(ctx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	limited, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.create(limited, ctx, req)
}

// create places an order. ctx ends with callerCtx, the context of the caller, or earlier, after Config.Limit.
func (s *Service) create(ctx, callerCtx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	n, err := newOrderOf(ctx, req)
	if err != nil {
		return nil, err
	}
	before, err := s.store.lookup(ctx, n)
	switch {
	case err != nil:
		return nil, timeoutStatus(callerCtx, err)
	case before == nil || before.canRetry():
		if n.name, err = s.buyers.name(ctx, callerCtx, req.GetUserId()); err != nil {
			return nil, err
		}
	// The answer needs nothing but this database.
	case before.finished():
		return responseFor(callerCtx, before)
	default:
		n.name = before.name
	}
	// The first attempt may only finish undoing an earlier request with the same key.
	const attempts = 2
	for range attempts {
		o, err := s.store.begin(ctx, n)
		if err != nil {
			return nil, timeoutStatus(callerCtx, err)
		}
		s.saga.at("begun")
		left := o.state == cancelling
		err = s.saga.run(ctx, o)
		if err != nil {
			s.handOver(ctx, o)
		}
		switch {
		case left && o.canRetry():
			continue
		case o.finished() || o.state == charged || o.state == cancelling:
			return responseFor(callerCtx, o)
		}
		return nil, timeoutStatus(callerCtx, err)
	}
	return nil, interrupted.err()
}

// responseFor returns the response for an order that is sold or cancelled.
func responseFor(callerCtx context.Context, o *order) (*orderv1.CreateOrderResponse, error) {
	if o.state == confirmed || o.state == charged {
		return &orderv1.CreateOrderResponse{Order: o.proto()}, nil
	}
	return nil, o.failure.errFor(callerCtx)
}

// handOver ends the lease of an order, so that recovery continues with it immediately. It changes nothing if the order is finished or belongs
// to another worker.
func (s *Service) handOver(ctx context.Context, o *order) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), s.limit)
	defer done()
	if err := s.store.giveUp(ctx, o); err != nil {
		s.saga.log.WarnContext(ctx, "an order waits for its lease to run out", "order", o.id, "error", err)
	}
}

// newOrderOf converts a request, without the name of the user. The key of a request belongs to the user and to the verified identity of the
// caller: the same key of another user or caller is another order.
func newOrderOf(ctx context.Context, req *orderv1.CreateOrderRequest) (newOrder, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	sum := sha256.Sum256(data)
	n := newOrder{userID: req.GetUserId(), caller: governance.Origin(ctx), key: req.GetIdempotencyKey(), digest: sum[:]}
	for _, l := range req.GetLines() {
		n.lines = append(n.lines, line{SKU: l.GetSku(), Quantity: l.GetQuantity()})
	}
	return n, err
}
