// Package order sells: a saga over users, inventory and payments whose every step survives a crash.
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

// Register adds the service with its database, its connections and its recovery to a program.
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
			{"userservice", cfg.Users, []governance.Fallback{governance.FallbackTo(userv1.UserService_GetUser_FullMethodName, known.standIn)}},
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
		p.Go((&recovery{saga: sg, every: cfg.Every, tracer: p.Tracing.Tracer("github.com/grpc-sandbox/sandbox/services/order")}).run)
		orderv1.RegisterOrderServiceServer(s, &Service{store: st, saga: sg, buyers: buyers{userv1.NewUserServiceClient(conns[0]), known}, limit: cfg.Limit})
		return nil
	}
}

// CreateOrder answers when the order is confirmed, or undone.
func (s *Service) CreateOrder(ctx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	limited, done := context.WithTimeout(ctx, s.limit)
	defer done()
	return s.create(limited, ctx, req)
}

// create works within ctx, which is the caller's, or ends sooner.
func (s *Service) create(ctx, callers context.Context, req *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	n, err := newOrderOf(ctx, req)
	if err != nil {
		return nil, err
	}
	before, err := s.store.stored(ctx, n)
	switch {
	case err != nil:
		return nil, whoseTime(callers, err)
	case before == nil || before.mayBeTriedAgain():
		if n.name, err = s.buyers.name(ctx, callers, req.GetUserId()); err != nil {
			return nil, err
		}
	case before.finished(): // needs nothing but this database
		return answerOf(callers, before)
	default:
		n.name = before.name
	}
	const attempts = 2 // the first may only finish what an earlier request left
	for range attempts {
		o, err := s.store.begin(ctx, n)
		if err != nil {
			return nil, whoseTime(callers, err)
		}
		s.saga.at("begun")
		left := o.state == cancelling
		err = s.saga.run(ctx, o)
		if err != nil {
			s.leave(ctx, o)
		}
		switch {
		case left && o.mayBeTriedAgain():
			continue
		case o.finished() || o.state == charged || o.state == cancelling:
			return answerOf(callers, o)
		}
		return nil, whoseTime(callers, err)
	}
	return nil, interrupted.err()
}

// answerOf is the answer to the request that made an order which is sold or cancelled.
func answerOf(callers context.Context, o *order) (*orderv1.CreateOrderResponse, error) {
	if o.state == confirmed || o.state == charged {
		return &orderv1.CreateOrderResponse{Order: o.proto()}, nil
	}
	return nil, o.failure.answer(callers)
}

// leave lets recovery go on with an order at once. Where it is finished already, or somebody else's, that changes nothing.
func (s *Service) leave(ctx context.Context, o *order) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), s.limit)
	defer done()
	if err := s.store.giveUp(ctx, o); err != nil {
		s.saga.log.WarnContext(ctx, "an order waits for its lease to run out", "order", o.id, "error", err)
	}
}

// newOrderOf is what a request asks for, without the name of its user. A key belongs to the verified identity of the caller and to the user: the
// same key of another one is another order.
func newOrderOf(ctx context.Context, req *orderv1.CreateOrderRequest) (newOrder, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	sum := sha256.Sum256(data)
	n := newOrder{userID: req.GetUserId(), caller: governance.Caller(ctx), key: req.GetIdempotencyKey(), digest: sum[:]}
	for _, l := range req.GetLines() {
		n.lines = append(n.lines, line{SKU: l.GetSku(), Quantity: l.GetQuantity()})
	}
	return n, err
}
