package contracts

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
)

// replayLimit is how long one interaction may take, its state included.
const replayLimit = 30 * time.Second

// Replayer replays interactions, each with values that nobody has used before. It is for one goroutine.
type Replayer struct {
	// Run is in every value made; another one each time.
	Run string
	// Sold returns the id of an order that the shop has sold. Nil where there is no shop whose books must agree: what is sold then belongs
	// to no order.
	Sold func(context.Context) (string, error)

	made int
}

// Replay brings the provider into the state of an interaction, makes its call, and compares.
func (r *Replayer) Replay(ctx context.Context, conn grpc.ClientConnInterface, c Contract, i Interaction) Result {
	result := Result{Consumer: c.Consumer, Provider: c.Provider, Interaction: i.Name, Method: i.Method}
	ctx, cancel := context.WithTimeout(ctx, replayLimit)
	defer cancel()
	p := providers()[c.Provider]
	s, known := p.states[i.State]
	if why := p.lasting["/"+i.Method]; why != "" && r.Sold != nil && !s.sold {
		result.Skipped = why
		return result
	}
	if i.State != "" && !known {
		result.Problems = []Problem{{"state", fmt.Sprintf("no entry in services/contracts/states*.go brings it about that %s", i.State)}}
		return result
	}
	v := r.fresh(c.Fresh)
	if err := r.prepare(ctx, conn, s, v); err != nil {
		result.Problems = []Problem{{"state", fmt.Sprintf("bringing it about that %s: %v", i.State, err)}}
		return result
	}
	result.Problems = replay(ctx, conn, i.with(c.Fresh, v))
	return result
}

func (r *Replayer) prepare(ctx context.Context, conn grpc.ClientConnInterface, s state, v Values) error {
	if s.sold && r.Sold != nil {
		order, err := r.Sold(ctx)
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
