package governance

import (
	"context"
	"time"

	"google.golang.org/grpc/tap"

	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// longestTimer bounds the deadline of a call that is refused on its headers. grpc-go keeps the timer of such a call until its deadline, so a caller
// that may not call could otherwise fill the memory with calls that have a deadline of years. Others are refused after their message was read.
const longestTimer = 10 * time.Second

// onHeaders decides about a call when its headers have arrived, before its message is read and before there is a goroutine for it. grpc-go calls it
// while it holds a lock of the connection, so it must be fast.
func (s *server) onHeaders(ctx context.Context, info *tap.Info) (context.Context, error) {
	ctx, err := s.checkCaller(ctx, info.FullMethodName)
	if err == nil && s.cfg.Tap != nil {
		return s.cfg.Tap(ctx, info)
	}
	return ctx, err
}

// checkCaller refuses a caller that is not on the list of a method. Neither the interceptors nor a stats handler see such a call, so its metrics, log
// record and span are made here. The context of a caller on the list has the caller, which is then not checked again.
func (s *server) checkCaller(ctx context.Context, fullMethod string) (context.Context, error) {
	rules := s.cfg.Policy.Rules()
	if !rules.LimitsCallers() {
		return ctx, nil
	}
	name := bareMethod(fullMethod)
	kind := s.kindOf(name)
	ruled := s.rule(rules, s.method(rules, fullMethod, kind), name)
	if len(ruled.shares) > 0 {
		// The whole call follows one rule.
		ctx = context.WithValue(ctx, numberKey{}, 100*s.cfg.random())
	}
	rule := ruled.drawn(ctx, s.cfg.random).rule
	if !rule.LimitsCallers() {
		return ctx, nil
	}
	if caller := Caller(ctx); rule.Allows(caller) {
		return context.WithValue(ctx, callerKey{}, caller), nil
	}
	if at, has := ctx.Deadline(); has && time.Until(at) > longestTimer {
		return ctx, nil
	}
	c := s.begin(ctx, fullMethod, kind)
	c.shadowCallers()
	err := c.refused(c.notAllowed(Caller(ctx)))
	c.end(err)
	return ctx, refusal.Shorten(err, s.statusBytes)
}

// kindOf returns the kind of a method. A method that is not registered can only be served as a stream.
func (s *server) kindOf(name string) string {
	if kind, known := s.registered()[name]; known {
		return kind
	}
	return callKind(true, true)
}

// callerKey is the key of the caller that checkCaller has found on a list.
type callerKey struct{}
