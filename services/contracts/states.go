package contracts

import (
	"context"

	"google.golang.org/grpc"
)

// state prepares a provider for an interaction. It uses the provider's own API, so it works in tests and in a cluster.
type state struct {
	prepare func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error
	// confirmed means that the state needs an order that is sold, which cannot be undone: in a running shop it must be one of the shop's own orders.
	confirmed bool
}

// provider is what a replay needs to know about a provider, besides its API.
type provider struct {
	states map[string]state
	// irreversible has, by method, the reason why its effect cannot be undone.
	irreversible map[string]string
	// holdings returns the ids of the orders with this prefix for which the provider holds something; cleanup ends that for one order. Both are
	// nil if the provider never holds anything.
	holdings func(ctx context.Context, conn grpc.ClientConnInterface, prefix string) ([]string, error)
	cleanup  func(ctx context.Context, conn grpc.ClientConnInterface, order string) error
}

func providers() map[string]provider {
	return map[string]provider{"userservice": users(), "inventoryservice": inventory(), "paymentservice": payments()}
}
