package contracts

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
)

// replayLimit bounds one interaction, including the preparation of its state.
const replayLimit = 30 * time.Second

// Replayer replays interactions, each with new values. It must not be used by several goroutines.
type Replayer struct {
	// Run is a part of every value that the Replayer makes, so it must differ between runs.
	Run string
	// ConfirmedOrder returns the id of an order that the shop has sold. It is nil in tests of a single service, where nothing checks that stock
	// and money belong to an order.
	ConfirmedOrder func(context.Context) (string, error)

	made int
}

// Replay prepares the state of an interaction, makes its call, and compares the answer.
func (r *Replayer) Replay(ctx context.Context, conn grpc.ClientConnInterface, c Contract, i Interaction) Result {
	result := Result{Consumer: c.Consumer, Provider: c.Provider, Interaction: i.Name, Method: i.Method}
	ctx, cancel := context.WithTimeout(ctx, replayLimit)
	defer cancel()
	p := providers()[c.Provider]
	s, known := p.states[i.State]
	if why := p.irreversible["/"+i.Method]; why != "" && r.ConfirmedOrder != nil && !s.confirmed {
		result.Skipped = why
		return result
	}
	if i.State != "" && !known {
		result.Problems = []Problem{{"state", fmt.Sprintf("no entry in services/contracts/states*.go prepares the state %q", i.State)}}
		return result
	}
	v := r.fresh(c.Fresh)
	if err := r.prepare(ctx, conn, s, v); err != nil {
		result.Problems = []Problem{{"state", fmt.Sprintf("preparing the state %q: %v", i.State, err)}}
		return result
	}
	result.Problems = replay(ctx, conn, i.with(c.Fresh, v))
	return result
}

func (r *Replayer) prepare(ctx context.Context, conn grpc.ClientConnInterface, s state, v Values) error {
	if s.confirmed && r.ConfirmedOrder != nil {
		order, err := r.ConfirmedOrder(ctx)
		if err != nil {
			return fmt.Errorf("buying something: %w", err)
		}
		v["order"] = order
	}
	if s.prepare == nil {
		return nil
	}
	return s.prepare(ctx, conn, v)
}
