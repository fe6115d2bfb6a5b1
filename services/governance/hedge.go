package governance

import (
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// hedging is the library's policy for a rule.
type hedging = failsafe.Executor[*answer]

// newHedging returns nil if the rule has no hedging.
func newHedging(rule *policy.ClientRule, budget *retryBudget) hedging {
	p := rule.Hedge
	if p == nil {
		return nil
	}
	// The library starts no further attempt after a negative delay.
	const never = -1
	policy := hedgepolicy.NewBuilderWithDelayFunc(func(failsafe.ExecutionAttempt[*answer]) time.Duration {
		if !budget.enough() {
			return never
		}
		return p.GetDelay().AsDuration()
	}).WithMaxHedges(int(max(2, p.GetMaxAttempts())) - 1).
		CancelIf(func(_ *answer, err error) bool { return !isFailure(rule, err) }).Build()
	return failsafe.With(policy)
}

func isFailure(rule *policy.ClientRule, err error) bool {
	class, _ := rule.Class(rpccode.Of(err))
	return class == policy.ClassFailure
}

// hedge sends further attempts while earlier ones are still running. Each attempt has a reply, a header and a trailer of its own, because two could write
// at a time, and a cancelled one still writes after the call has ended.
func (c *clientCall) hedge(run hedging, s sender, reply any) error {
	into, ok := reply.(proto.Message)
	if !ok || isRepeated(c.ctx) {
		return s.send(c.ctx, reply)
	}
	got, err := run.WithContext(c.ctx).GetWithExecution(func(x failsafe.Execution[*answer]) (*answer, error) {
		a := &answer{reply: into.ProtoReflect().New().Interface()}
		own := s
		own.opts = a.divert(s.opts)
		err := own.send(withAttempt(x.Context(), x.Attempts()), a.reply)
		switch {
		case err == nil:
			c.client.budget.succeeded()
		case rpccode.Of(err) == codes.Canceled && x.Context().Err() != nil:
			// Another attempt was faster, or the caller left.
		case isFailure(c.rule, err):
			c.client.budget.failed()
		}
		return a, err
	})
	if _, known := status.FromError(err); !known {
		// The library returns the error of the context itself.
		err = status.FromContextError(err).Err()
	}
	if err == nil {
		proto.Reset(into)
		proto.Merge(into, got.reply)
	}
	got.deliver(s.opts, err)
	return err
}

// answer is what one attempt has received.
type answer struct {
	reply           proto.Message
	header, trailer metadata.MD
	peer            peer.Peer
}

// divert returns the options of one attempt, which writes into the answer instead of what the caller named. A callback is left to deliver, because it
// is for the call and not for each attempt.
func (a *answer) divert(opts []grpc.CallOption) []grpc.CallOption {
	own := make([]grpc.CallOption, 0, len(opts))
	for _, o := range opts {
		switch o.(type) {
		case grpc.HeaderCallOption:
			o = grpc.Header(&a.header)
		case grpc.TrailerCallOption:
			o = grpc.Trailer(&a.trailer)
		case grpc.PeerCallOption:
			o = grpc.Peer(&a.peer)
		case grpc.OnFinishCallOption:
			continue
		}
		own = append(own, o)
	}
	return own
}

// deliver gives the caller what this attempt has received; a is nil if no attempt has ended.
func (a *answer) deliver(opts []grpc.CallOption, err error) {
	for _, o := range opts {
		if finish, ok := o.(grpc.OnFinishCallOption); ok {
			finish.OnFinish(err)
		}
		if a == nil {
			continue
		}
		switch o := o.(type) {
		case grpc.HeaderCallOption:
			*o.HeaderAddr = a.header
		case grpc.TrailerCallOption:
			*o.TrailerAddr = a.trailer
		case grpc.PeerCallOption:
			*o.PeerAddr = a.peer
		}
	}
}
