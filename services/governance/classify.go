package governance

import (
	"context"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// classify returns what the end of a call, or of an attempt with the context ctx, says about the callee. named means that the policy decided.
func (c *clientCall) classify(ctx context.Context, err error) (class policy.Class, named bool) {
	code := rpccode.Of(err)
	switch {
	case code == codes.Canceled && ctx.Err() != nil, exceedsOwnLimit(err), endedByGoAway(err), code == codes.DeadlineExceeded && (c.expired || c.short || c.outlived()):
		return policy.ClassIgnored, false
	}
	class, named = c.rule.Class(code)
	switch {
	case named:
	// The callee answered CANCELLED, and its caller had not cancelled.
	case code == codes.Canceled:
		class = policy.ClassFailure
	// A rate limit says how much the caller may send, and nothing about the health of the callee. If it counted, the breaker would open and refuse
	// the calls that the limit admits, too.
	case code == codes.ResourceExhausted && refusal.Reason(err) == refusal.ReasonRateLimited:
		class = policy.ClassIgnored
	}
	return class, named
}

// endedByGoAway reports whether a connection ended because the server wanted it, such as at its maximum age, and took the call with it. grpc-go
// says so only in the text of the error.
func endedByGoAway(err error) bool {
	return status.Code(err) == codes.Unavailable && strings.Contains(status.Convert(err).Message(), "received prior goaway: code: NO_ERROR")
}

// exceedsOwnLimit reports whether a message was larger than this client accepts or sends. grpc-go says so only in the text of the error.
func exceedsOwnLimit(err error) bool {
	if status.Code(err) != codes.ResourceExhausted {
		return false
	}
	text := status.Convert(err).Message()
	return strings.HasPrefix(text, "trying to send message larger than max") || strings.HasPrefix(text, "grpc: received message") ||
		strings.HasPrefix(text, "grpc: message after decompression larger than max")
}
