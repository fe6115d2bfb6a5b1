package fault

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// delay delays a call by a fixed time, and up to jitter more.
type delay struct{ fixed, jitter time.Duration }

var delayKind = kind{
	name: "delay",
	check: func(p *policyv1.Fault, report Report) {
		checkDuration("delay.fixed", p.GetDelay().GetFixed(), report)
		checkDuration("delay.jitter", p.GetDelay().GetJitter(), report)
	},
	decode: func(p *policyv1.Fault) effect {
		d, ok := p.GetKind().(*policyv1.Fault_Delay)
		if !ok {
			return nil
		}
		return delay{d.Delay.GetFixed().AsDuration(), d.Delay.GetJitter().AsDuration()}
	},
}

// mostDelay leaves room for the sum of both parts.
const mostDelay = 100 * 365 * 24 * time.Hour

func checkDuration(field string, d *durationpb.Duration, report Report) {
	if d != nil && (d.CheckValid() != nil || d.AsDuration() < 0 || d.AsDuration() > mostDelay) {
		report(field, "must be at least 0s", "")
	}
}

func (d delay) apply(ctx context.Context, random func() float64) error {
	return pause.For(ctx, d.fixed+time.Duration(random()*float64(d.jitter)))
}
