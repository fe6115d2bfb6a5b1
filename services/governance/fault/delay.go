package fault

import (
	"context"
	"time"

	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// delay delays a call by a fixed time, and up to jitter more.
type delay struct{ fixed, jitter time.Duration }

var delayKind = kind{
	name: "delay",
	decode: func(p *policyv1.Fault) effect {
		d, ok := p.GetKind().(*policyv1.Fault_Delay)
		if !ok {
			return nil
		}
		return delay{d.Delay.GetFixed().AsDuration(), d.Delay.GetJitter().AsDuration()}
	},
}

func (d delay) apply(ctx context.Context, random func() float64) error {
	return status.FromContextError(pause.For(ctx, d.fixed+time.Duration(random()*float64(d.jitter)))).Err()
}
