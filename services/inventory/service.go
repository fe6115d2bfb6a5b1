// Package inventory implements inventory.v1.InventoryService: it keeps the stock of each SKU and reserves it for orders.
//
// A reservation takes all of its lines or none. Every method is idempotent by order id, so a caller whose connection broke can repeat it:
// Reserve answers with the same price, Release and Commit change nothing the second time. Releasing an order that was never reserved blocks a
// later Reserve, which protects against a delayed request.
package inventory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/inventory/inventoryv1"
	"github.com/grpc-sandbox/sandbox/services/postgres"
	"github.com/grpc-sandbox/sandbox/services/validation"
)

// Reasons in the ErrorInfo of a FAILED_PRECONDITION error.
const (
	ReasonOutOfStock  = "OUT_OF_STOCK"
	ReasonReleased    = "ORDER_RELEASED"
	ReasonCommitted   = "ORDER_COMMITTED"
	ReasonNotReserved = "NOT_RESERVED"
)

// Service implements inventory.v1.InventoryService.
type Service struct {
	inventoryv1.UnimplementedInventoryServiceServer
	db *postgres.DB
}

// Register adds the service to a gRPC server.
func Register(_ *governance.Process, s *grpc.Server, db *postgres.DB) error {
	inventoryv1.RegisterInventoryServiceServer(s, Service{db: db})
	return nil
}

// Reserve reserves all lines of an order or none, and returns the total price.
func (s Service) Reserve(ctx context.Context, req *inventoryv1.ReserveRequest) (*inventoryv1.ReserveResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	lines := merged(req.GetLines())
	var total int64
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var err error
		total, err = reserve(ctx, conn, req.GetOrderId(), lines)
		return err
	})
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &inventoryv1.ReserveResponse{TotalCents: total}, nil
}

// Release returns reserved stock. It also blocks a Reserve of the same order that arrives later.
func (s Service) Release(ctx context.Context, req *inventoryv1.ReleaseRequest) (*inventoryv1.ReleaseResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error { return release(ctx, conn, req.GetOrderId()) })
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &inventoryv1.ReleaseResponse{}, nil
}

// Commit turns reserved stock into sold stock.
func (s Service) Commit(ctx context.Context, req *inventoryv1.CommitRequest) (*inventoryv1.CommitResponse, error) {
	if err := validation.Check(req); err != nil {
		return nil, err
	}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error { return commit(ctx, conn, req.GetOrderId()) })
	if err != nil {
		return nil, postgres.Status(err)
	}
	return &inventoryv1.CommitResponse{}, nil
}

// GetStock returns the counters of one SKU.
func (s Service) GetStock(ctx context.Context, req *inventoryv1.GetStockRequest) (*inventoryv1.GetStockResponse, error) {
	out := &inventoryv1.GetStockResponse{Sku: req.GetSku()}
	err := s.db.Conn(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT price_cents, available, reserved, sold FROM stock WHERE sku = $1", req.GetSku()).
			Scan(&out.PriceCents, &out.Available, &out.Reserved, &out.Sold)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, unknownSKU(req.GetSku())
	}
	if err != nil {
		return nil, postgres.Status(err)
	}
	return out, nil
}

// merged adds up lines with the same SKU and sorts them by SKU, the order in which every transaction locks stock.
func merged(lines []*inventoryv1.Line) []*inventoryv1.Line {
	bySKU := map[string]*inventoryv1.Line{}
	var all []*inventoryv1.Line
	for _, l := range lines {
		if before := bySKU[l.GetSku()]; before != nil {
			before.Quantity += l.GetQuantity()
			continue
		}
		line := &inventoryv1.Line{Sku: l.GetSku(), Quantity: l.GetQuantity()}
		bySKU[l.GetSku()] = line
		all = append(all, line)
	}
	slices.SortFunc(all, func(a, b *inventoryv1.Line) int { return strings.Compare(a.GetSku(), b.GetSku()) })
	return all
}

func unknownSKU(sku string) error {
	return status.Errorf(codes.NotFound, "no sku %q: the catalog has sku-1 to sku-100", sku)
}

func refused(reason, message string) error {
	return refusal.New(codes.FailedPrecondition, reason, message)
}
