package scenarios

import (
	"context"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
)

// lastChange is the last change that the run made to the cluster. The sliding windows of waitFor and recover start after it has had its effect.
type lastChange struct {
	mu sync.Mutex
	// changedAt is zero before the first change.
	changedAt
	// hasEffect reports whether the change has had its effect. nil means that the effect is immediate.
	hasEffect func(context.Context) (bool, error)
	// metSince is the time since which everything in recover has been true. It is zero if something is not true.
	metSince time.Time
}

// changedAt identifies a change and its times.
type changedAt struct {
	// number counts the changes.
	number int
	// acted is when the change was made.
	acted time.Time
	// settled is when the change had its effect. It is zero before that.
	settled time.Time
}

// set records a change of the cluster, by a step or by undoing one.
func (c *lastChange) set(at time.Time, hasEffect func(context.Context) (bool, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.acted, c.hasEffect, c.metSince, c.settled = at, hasEffect, time.Time{}, time.Time{}
	if hasEffect == nil {
		c.settled = at
	}
}

// settle checks whether the last change has had its effect, such as the end of the pods that it removed. Until then those pods may still serve
// callers.
func (c *lastChange) settle(ctx context.Context, now clock.Clock) (at changedAt, unsettled string) {
	c.mu.Lock()
	at = c.changedAt
	hasEffect := c.hasEffect
	c.mu.Unlock()
	if hasEffect == nil || !at.settled.IsZero() {
		return at, ""
	}
	ctx, cancel := context.WithTimeout(ctx, watch.ReadTimeout)
	defer cancel()
	done, err := hasEffect(ctx)
	switch {
	case err != nil:
		return at, "not known whether the last change has had its effect: " + err.Error()
	case !done:
		return at, "the last change has not had its effect yet"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number == at.number {
		c.settled = now.Now()
		at.settled = c.settled
	}
	return at, ""
}

// judged records a judgement of the recovery, and returns the time since which everything has been true. A judgement from before the last change
// does not count.
func (c *lastChange) judged(number int, met bool, since time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case number != c.number:
		return time.Time{}
	case !met:
		c.metSince = time.Time{}
	case c.metSince.IsZero():
		c.metSince = since
	}
	return c.metSince
}

// none reports whether the run has changed nothing yet.
func (c *lastChange) none() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.number == 0
}
