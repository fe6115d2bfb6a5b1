package fault

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// throttle lets a number of calls per second through, evenly spaced. Each method of each process has its own turns.
type throttle struct{ turns *rate.Limiter }

var throttleKind = kind{
	name: "throttle",
	decode: func(p *policyv1.Fault) effect {
		t, ok := p.GetKind().(*policyv1.Fault_Throttle)
		if !ok {
			return nil
		}
		return throttle{rate.NewLimiter(rate.Limit(t.Throttle.GetRate()), 1)}
	},
}

// apply waits for the turn of the call. A call that leaves gives its turn back, so that those behind it move up.
func (t throttle) apply(ctx context.Context, _ func() float64) error {
	turn := t.turns.Reserve()
	wait := turn.Delay()
	if until, has := ctx.Deadline(); has && time.Until(until) < wait {
		// It would only take a turn that no call can use. The call waits for its deadline, as for any slow callee.
		turn.Cancel()
		wait = time.Until(until) + time.Millisecond
	}
	err := pause.For(ctx, wait)
	if err != nil {
		turn.Cancel()
	}
	return status.FromContextError(err).Err()
}
