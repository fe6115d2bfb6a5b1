package governance

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

const (
	// previousAttempts is the header with the number of earlier attempts of a call. grpc-go sends it with its own retries.
	previousAttempts = "grpc-previous-rpc-attempts"
	// pushback is the trailer with which a server says when to repeat a call; a negative number means never.
	pushback = "grpc-retry-pushback-ms"
)

// sender makes attempts of a unary call.
type sender struct {
	invoke grpc.UnaryInvoker
	cc     *grpc.ClientConn
	method string
	req    any
	opts   []grpc.CallOption
}

func (s sender) send(ctx context.Context, reply any) error {
	return s.invoke(ctx, s.method, s.req, reply, s.cc, s.opts...)
}

// isRepeated reports whether the call that is being served is a repeated one. What it calls is not repeated in addition: three attempts at each of
// three levels would make 27 of one.
func isRepeated(ctx context.Context) bool {
	return len(metadata.ValueFromIncomingContext(ctx, previousAttempts)) > 0
}

// withAttempt adds the number of earlier attempts.
func withAttempt(ctx context.Context, n int) context.Context {
	if n == 1 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, previousAttempts, strconv.Itoa(n-1))
}

// repeat makes attempts with the options of the caller. The callbacks of the caller are for the call and not for each attempt.
func (c *clientCall) repeat(s sender, reply any) error {
	named := s.opts
	s.opts = append(appendWithoutCallbacks(c.options[:0], named), grpc.Trailer(&c.trailer))
	err := c.attemptInTurn(s, reply)
	for _, o := range named {
		if finish, ok := o.(grpc.OnFinishCallOption); ok {
			finish.OnFinish(err)
		}
	}
	return err
}

func appendWithoutCallbacks(to, opts []grpc.CallOption) []grpc.CallOption {
	for _, o := range opts {
		if _, callback := o.(grpc.OnFinishCallOption); !callback {
			to = append(to, o)
		}
	}
	return to
}

// attemptInTurn makes attempts until one succeeds, or must not be followed by another one. It never waits for an attempt that would come after the
// deadline.
func (c *clientCall) attemptInTurn(s sender, reply any) error {
	p := c.rule.Retry
	most := int(p.GetMaxAttempts())
	if isRepeated(c.ctx) {
		most = 1
	}
	for n := 1; ; n++ {
		c.trailer = nil
		err := c.once(withAttempt(c.ctx, n), p.GetPerTryTimeout().AsDuration(), s, reply)
		if err == nil {
			c.client.budget.succeeded()
			return nil
		}
		if !c.repeatable(p, err) {
			return err
		}
		more := c.client.budget.failed()
		delay, ok := delayBefore(p, n, c.trailer)
		if n >= most || !ok {
			return err
		}
		if !more {
			c.method.withheld.Inc()
			return err
		}
		if at, has := c.ctx.Deadline(); has && time.Until(at) <= delay {
			return err
		}
		if pause.For(c.ctx, delay) != nil {
			return err
		}
	}
}

// once makes one attempt, with a time limit of its own if limit is not 0.
func (c *clientCall) once(ctx context.Context, limit time.Duration, s sender, reply any) error {
	if limit == 0 {
		return s.send(ctx, reply)
	}
	tryCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.send(tryCtx, reply)
}

// repeatable reports whether the policy allows another attempt after an error. An attempt that ran into its own time limit can be repeated always:
// it is the purpose of the limit.
func (c *clientCall) repeatable(p *policyv1.Retry, err error) bool {
	code := rpccode.Of(err)
	if code == codes.DeadlineExceeded && p.GetPerTryTimeout() != nil {
		return c.ctx.Err() == nil
	}
	return slices.Contains(retriableCodes(p), rpccode.Name(code))
}

// delayBefore returns the wait before the attempt that follows attempt n. ok is false if the server forbids it.
func delayBefore(p *policyv1.Retry, n int, trailer metadata.MD) (delay time.Duration, ok bool) {
	if said := trailer.Get(pushback); len(said) == 1 {
		ms, err := strconv.ParseInt(said[0], 10, 64)
		return time.Duration(ms) * time.Millisecond, err == nil && ms >= 0
	}
	initial, longest, factor := backoffOf(p)
	wait := min(float64(longest), float64(initial)*math.Pow(factor, float64(n-1)))
	const jitter = 0.2
	return time.Duration(wait * (1 - jitter + 2*jitter*rand.Float64())), true
}
