package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// blind is how long a load may go unread before the run stops: no abort limit guards what cannot be seen.
const blind = 10 * time.Second

// abortError is the cause of a run that a limit stopped.
type abortError struct{ rule, observed string }

func (e *abortError) Error() string {
	return fmt.Sprintf("stopped by its limit: %s, observed %s", e.rule, e.observed)
}

// A sampler keeps the latest readings of every load, as far back as the longest window asked for.
type sampler struct {
	loads Loads
	clock Clock
	names []string
	rules []AbortRule
	keep  time.Duration

	mu   sync.Mutex
	past map[string][]LoadReading
}

func newSampler(sc Scenario, loads Loads, clock Clock) *sampler {
	s := &sampler{loads: loads, clock: clock, rules: sc.Abort, keep: trailing, past: map[string][]LoadReading{}}
	for _, l := range sc.Load {
		s.names = append(s.names, l.Name)
	}
	for _, r := range sc.Abort {
		s.keep = max(s.keep, r.window())
	}
	return s
}

// run samples every pulse until ctx ends; it calls stop once, when a limit trips or the loads cannot be read.
func (s *sampler) run(ctx context.Context, stop context.CancelCauseFunc) {
	seen := s.clock.Now()
	for pause(ctx, s.clock, pulse) == nil {
		err := s.sample(ctx)
		now := s.clock.Now()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			seen = now
		case now.Sub(seen) > blind:
			stop(fmt.Errorf("reading loads for %s: %w", blind, err))
			return
		}
		if tripped := s.judge(); tripped != nil {
			stop(tripped)
			return
		}
	}
}

func (s *sampler) sample(ctx context.Context) error {
	var failed []error
	for _, name := range s.names {
		r, err := s.read(ctx, name)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		s.record(name, r)
	}
	return errors.Join(failed...)
}

// read has a limit: a node that is paused answers nothing.
func (s *sampler) read(ctx context.Context, name string) (LoadReading, error) {
	ctx, cancel := context.WithTimeout(ctx, blind)
	defer cancel()
	return s.loads.Read(ctx, name)
}

func (s *sampler) record(name string, r LoadReading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.past[name]
	past = append(past, r)
	for len(past) > 1 && !past[1].At.After(r.At.Add(-s.keep)) {
		past = past[1:]
	}
	s.past[name] = past
}

// over is what a load did in the last d; full says whether it has been watched for that long.
func (s *sampler) over(name string, d time.Duration) (LoadReading, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.past[name]
	if len(past) == 0 {
		return LoadReading{}, false
	}
	last := past[len(past)-1]
	first := past[0]
	for _, r := range past {
		if r.At.After(last.At.Add(-d)) {
			break
		}
		first = r
	}
	return last.Sub(first), !first.At.After(last.At.Add(-d))
}

func (s *sampler) judge() error {
	for _, rule := range s.rules {
		over, full := s.over(rule.load(), rule.window())
		if !full {
			continue
		}
		if observed, tripped := rule.trips(over); tripped {
			return &abortError{rule.String(), observed}
		}
	}
	return nil
}
