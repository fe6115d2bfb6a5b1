package fault

import (
	"cmp"
	"context"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// abort ends a call with an error.
type abort struct{ err error }

var abortKind = kind{
	name: "abort",
	decode: func(p *policyv1.Fault) effect {
		a, ok := p.GetKind().(*policyv1.Fault_Abort)
		if !ok {
			return nil
		}
		code, _ := rpccode.Named(a.Abort.GetCode())
		return abort{refusal.New(code, refusal.ReasonFaultInjected, cmp.Or(a.Abort.GetMessage(), "a fault was injected"))}
	},
}

func (a abort) apply(context.Context, func() float64) error { return a.err }
