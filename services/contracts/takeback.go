package contracts

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
)

// Holds says whether a provider may hold something after an interaction.
func Holds(providerName string) bool { return providers()[providerName].held != nil }

// TakeBack ends what a run left at a provider: stock reserved and money charged for orders that nobody placed. It looks again afterwards, and
// returns how many orders it was. It may be called for any run, at any time after it.
func TakeBack(ctx context.Context, conn grpc.ClientConnInterface, providerName, run string) (int, error) {
	p := providers()[providerName]
	if !Holds(providerName) {
		return 0, nil
	}
	left := func() ([]string, error) {
		orders, err := p.held(ctx, conn, beginning(run))
		if err != nil {
			return nil, fmt.Errorf("looking for what %s holds for run %s: %w", providerName, run, err)
		}
		return orders, nil
	}
	orders, err := left()
	if err != nil || len(orders) == 0 {
		return 0, err
	}
	for _, order := range orders {
		if err := p.takeBack(ctx, conn, order); err != nil {
			return 0, fmt.Errorf("taking back what %s holds for %s: %w", providerName, order, err)
		}
	}
	still, err := left()
	if err == nil && len(still) > 0 {
		err = fmt.Errorf("taking back what %s holds: it still does for %v", providerName, still)
	}
	return len(orders), err
}
