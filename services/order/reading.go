package order

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// defaultPage is the page size of a ListOrders request without one.
const defaultPage = 50

// GetOrder returns an order in any state.
func (s *Service) GetOrder(ctx context.Context, req *orderv1.GetOrderRequest) (*orderv1.GetOrderResponse, error) {
	o, err := s.store.get(ctx, req.GetOrderId(), ownerOf(ctx))
	if err != nil {
		return nil, err
	}
	return &orderv1.GetOrderResponse{Order: o.proto()}, nil
}

// ListOrders lists the newest orders first. A page token is the number of the last order on the previous page.
func (s *Service) ListOrders(ctx context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	var before int64
	if token := req.GetPageToken(); token != "" {
		var err error
		if before, err = strconv.ParseInt(token, 10, 64); err != nil || before < 1 {
			return nil, refusal.Field("page_token", "is not a next_page_token of an earlier response")
		}
	}
	size := int(req.GetPageSize())
	if size == 0 {
		size = defaultPage
	}
	page, err := s.store.page(ctx, selection{user: req.GetUserId(), owner: ownerOf(ctx), before: before}, size)
	if err != nil {
		return nil, err
	}
	out := &orderv1.ListOrdersResponse{}
	for _, o := range page {
		out.Orders = append(out.Orders, o.proto())
	}
	if len(page) == size {
		out.NextPageToken = strconv.FormatInt(page[len(page)-1].number, 10)
	}
	return out, nil
}

// ownerOf returns whose orders the current call may read: those of the partner on whose behalf a gateway calls, or empty for all, because callers inside
// the cluster are trusted.
func ownerOf(ctx context.Context) string {
	if governance.Partner(ctx) == "" {
		return ""
	}
	return governance.Origin(ctx)
}

// get returns an order, unless owner is not empty and another caller has made it.
func (s *store) get(ctx context.Context, id, owner string) (o *order, err error) {
	err = s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		o, err = one(ctx, conn, "SELECT "+columns+" FROM orders WHERE order_id = $1 AND ($2 = '' OR caller = $2)", id, owner)
		return err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, status.Errorf(codes.NotFound, "no order %q", id)
	}
	return o, postgres.Status(err)
}

// selection selects orders; each field that is zero selects all.
type selection struct {
	// user is for whom they were made, and owner by whom; see ownerOf.
	user, owner string
	// before is above their numbers.
	before int64
}

// page returns the newest orders of a selection.
func (s *store) page(ctx context.Context, of selection, size int) (page []*order, err error) {
	page, err = postgres.Collect(ctx, s.db, scan, "SELECT "+columns+` FROM orders
		WHERE ($1 = '' OR user_id = $1) AND ($2 = '' OR caller = $2) AND ($3 = 0 OR number < $3) ORDER BY number DESC LIMIT $4`,
		of.user, of.owner, of.before, size)
	return page, postgres.Status(err)
}

// ordersAfter returns the next orders after an id, sorted by id.
func (s *store) ordersAfter(ctx context.Context, id string, size int) (page []*order, err error) {
	page, err = postgres.Collect(ctx, s.db, scan, "SELECT "+columns+" FROM orders WHERE order_id > $1 ORDER BY order_id LIMIT $2", id, size)
	return page, postgres.Status(err)
}
