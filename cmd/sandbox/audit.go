package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/catalog"
	"github.com/grpc-sandbox/sandbox/services/order/orderv1"
)

// auditLimit is the deadline for comparing all orders.
const auditLimit = time.Minute

// auditDocument is what `audit -o json` prints. Add fields; never rename one.
type auditDocument struct {
	Consistent   bool     `json:"consistent"`
	Violations   []string `json:"violations"`
	Confirmed    int64    `json:"confirmed"`
	Cancelled    int64    `json:"cancelled"`
	InFlight     int64    `json:"inFlight"`
	OrderedCents int64    `json:"orderedCents"`
	ChargedCents int64    `json:"chargedCents"`
	Pruned       int64    `json:"pruned"`
}

func newAudit(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Check that orders, stock and payments of the shop agree",
		Long: "Compare every order with the stock and the payments recorded for it. Orders in flight are counted but not checked.\n" +
			"Pruned orders are part of the totals, which are checked as a whole.\n\n" +
			"Exit code 1: a difference was found.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			return withCluster(cmd.Context(), proc, g, func(c *live.Cluster) error { return auditShop(cmd.Context(), proc.stdout, c, asJSON) })
		},
	}
	outputFlag(cmd, g)
	return cmd
}

func auditShop(ctx context.Context, out io.Writer, shop dialer, asJSON bool) error {
	ctx, cancel := context.WithTimeout(ctx, auditLimit)
	defer cancel()
	conn, err := shop.Dial(ctx, catalog.Serving(orderv1.OrderService_ServiceDesc.ServiceName))
	if err != nil {
		return err
	}
	return audit(ctx, out, orderv1.NewOrderServiceClient(conn), asJSON)
}

func audit(ctx context.Context, out io.Writer, orders orderv1.OrderServiceClient, asJSON bool) error {
	got, err := orders.Audit(ctx, &orderv1.AuditRequest{})
	if err != nil {
		return remedy.Errorf(remedy.Command("status"), "auditing orders: %w", err)
	}
	doc := auditDocument{
		Consistent: got.GetConsistent(), Violations: append([]string{}, got.GetViolations()...), Confirmed: got.GetConfirmed(), Cancelled: got.GetCancelled(),
		InFlight: got.GetInFlight(), OrderedCents: got.GetOrderedCents(), ChargedCents: got.GetChargedCents(), Pruned: got.GetPruned(),
	}
	if asJSON {
		err = writeJSON(out, doc)
	} else {
		_, err = io.WriteString(out, doc.text())
	}
	if err == nil && !doc.Consistent {
		err = &codedError{exitNotHeld, errors.New("orders, stock and payments do not agree")}
	}
	return err
}

func (d auditDocument) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "orders   %d confirmed, %d cancelled, %d in flight; %d pruned\n", d.Confirmed, d.Cancelled, d.InFlight, d.Pruned)
	fmt.Fprintf(&b, "money    %d cents ordered, %d charged\n", d.OrderedCents, d.ChargedCents)
	for _, v := range d.Violations {
		fmt.Fprintln(&b, "  ✗", v)
	}
	if d.Consistent {
		fmt.Fprintln(&b, "orders, stock and payments agree")
	}
	return b.String()
}
