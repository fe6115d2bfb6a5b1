package governance

import (
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// hedging is the library's policy for a rule.
type hedging = failsafe.Executor[proto.Message]

// newHedging returns nil if the rule has no hedging.
func newHedging(p *policyv1.Hedge, budget *retryBudget) hedging {
	if p == nil {
		return nil
	}
	// The library starts no further attempt after a negative delay.
	const never = -1
	policy := hedgepolicy.NewBuilderWithDelayFunc(func(failsafe.ExecutionAttempt[proto.Message]) time.Duration {
		if !budget.enough() {
			return never
		}
		return p.GetDelay().AsDuration()
	}).WithMaxHedges(int(max(2, p.GetMaxAttempts())) - 1).
		CancelIf(func(_ proto.Message, err error) bool { return !rpccode.IsFailure(rpccode.Of(err)) }).Build()
	return failsafe.With(policy)
}

// hedge sends further attempts while earlier ones are still running. Each attempt has a reply of its own, because two could write at a time.
func (c *clientCall) hedge(run hedging, s sender, reply any) error {
	into, ok := reply.(proto.Message)
	if !ok || isRepeated(c.ctx) {
		return s.send(c.ctx, reply)
	}
	got, err := run.WithContext(c.ctx).GetWithExecution(func(x failsafe.Execution[proto.Message]) (proto.Message, error) {
		own := into.ProtoReflect().New().Interface()
		err := s.send(withAttempt(x.Context(), x.Attempts()), own)
		switch {
		case err == nil:
			c.client.budget.succeeded()
		case rpccode.IsFailure(rpccode.Of(err)):
			c.client.budget.failed()
		}
		return own, err
	})
	if err != nil {
		return err
	}
	proto.Reset(into)
	proto.Merge(into, got)
	return nil
}
