package contracts

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
)

// NeedsCleanup reports whether interactions may leave something behind at a provider.
func NeedsCleanup(providerName string) bool { return providers()[providerName].holdings != nil }

// Cleanup ends what a run has left at a provider: stock reserved and money charged for orders that do not exist. It checks the result, and
// returns the number of orders. It can be called at any time after a run, and repeatedly.
func Cleanup(ctx context.Context, conn grpc.ClientConnInterface, providerName, run string) (int, error) {
	p := providers()[providerName]
	if !NeedsCleanup(providerName) {
		return 0, nil
	}
	left := func() ([]string, error) {
		orders, err := p.holdings(ctx, conn, prefixOf(run))
		if err != nil {
			return nil, fmt.Errorf("listing what %s holds for run %s: %w", providerName, run, err)
		}
		return orders, nil
	}
	orders, err := left()
	if err != nil || len(orders) == 0 {
		return 0, err
	}
	for _, order := range orders {
		if err := p.cleanup(ctx, conn, order); err != nil {
			return 0, fmt.Errorf("cleaning up what %s holds for %s: %w", providerName, order, err)
		}
	}
	still, err := left()
	if err == nil && len(still) > 0 {
		err = fmt.Errorf("cleaning up what %s holds: it still holds something for %v", providerName, still)
	}
	return len(orders), err
}
