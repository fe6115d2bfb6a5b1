package fault

import (
	"context"

	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// hang never answers: the call ends with its deadline, or when its caller cancels.
type hang struct{}

var hangKind = kind{
	name: "hang",
	decode: func(p *policyv1.Fault) effect {
		if _, ok := p.GetKind().(*policyv1.Fault_Hang); !ok {
			return nil
		}
		return hang{}
	},
}

func (hang) apply(ctx context.Context, _ func() float64) error {
	<-ctx.Done()
	return status.FromContextError(ctx.Err()).Err()
}
