package contracts

import (
	"context"

	"google.golang.org/grpc"
)

// state is how a provider is brought into what a contract names: by calls of its own API, so that it is done alike in tests and in a cluster.
type state struct {
	prepare func(ctx context.Context, conn grpc.ClientConnInterface, v Values) error
	sold    bool // the order is sold, and nobody can take that back: where there is a shop, it must be one of the shop's
}

// provider is what is known of one, beside its API.
type provider struct {
	states  map[string]state
	lasting map[string]string // by method, why nobody takes back what it does
	// held lists the orders, by what their ids begin with, that it holds something for; takeBack ends that. Both are nil where nothing
	// is held.
	held     func(ctx context.Context, conn grpc.ClientConnInterface, beginning string) ([]string, error)
	takeBack func(ctx context.Context, conn grpc.ClientConnInterface, order string) error
}

func providers() map[string]provider {
	return map[string]provider{"userservice": users(), "inventoryservice": inventory(), "paymentservice": payments()}
}
