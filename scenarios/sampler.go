package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
)

const (
	// blind is how long a load may go unread before the run stops: no abort limit guards what cannot be seen.
	blind = 10 * time.Second
	// readLimit is the deadline of one reading; what arrives later than stale is of no use but to the abort limits.
	readLimit = blind / 4
)

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
	rules []expect.Limit

	mu   sync.Mutex
	past map[string]*readings
	kept keeping
}

func newSampler(sc Scenario, loads Loads, clock Clock) *sampler {
	s := &sampler{loads: loads, clock: clock, rules: sc.Abort, past: map[string]*readings{}, kept: keeping{whole: sc.LongestHold()}}
	for _, l := range sc.Load {
		s.names = append(s.names, l.Name)
	}
	s.kept.counts = s.kept.whole
	for _, r := range sc.Abort {
		s.kept.counts = max(s.kept.counts, r.Window())
	}
	return s
}

// run samples every pulse until ctx ends; it calls stop once, when a limit trips or the loads cannot be read.
func (s *sampler) run(ctx context.Context, stop context.CancelCauseFunc) {
	seen := s.clock.Now()
	for clock.Pause(ctx, s.clock, pulse) == nil {
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

// sample reads all loads at once, so that one that does not answer holds up no other.
func (s *sampler) sample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	failed := make([]error, len(s.names))
	var reading sync.WaitGroup
	for i, name := range s.names {
		reading.Go(func() {
			r, err := s.loads.Read(ctx, name)
			if err == nil {
				s.record(name, r)
			}
			failed[i] = err
		})
	}
	reading.Wait()
	return errors.Join(failed...)
}

func (s *sampler) record(name string, r LoadReading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.past[name] == nil {
		s.past[name] = &readings{}
	}
	s.past[name].add(r, s.kept)
}

// last is what a load did in the last d; full says whether it has been watched for that long.
func (s *sampler) last(name string, d time.Duration) (over LoadReading, full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.past[name].last()
	if !ok {
		return LoadReading{}, false
	}
	first, ok := s.past[name].before(last.At.Add(-d), time.Time{})
	if !ok {
		return LoadReading{}, false
	}
	return last.LoadReading.Sub(first.LoadReading), true
}

// window is what a load did in a window of at least hold that ends now and begins at began, or why that is not known.
func (s *sampler) window(name string, hold time.Duration, after time.Time) (over LoadReading, began time.Time, unknown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, ok := s.past[name].last()
	if !ok {
		return LoadReading{}, began, "the load has not been read yet"
	}
	if age := s.clock.Now().Sub(last.At); age > expect.MaxAge {
		return LoadReading{}, began, fmt.Sprintf("the load was last read %s ago", age.Round(time.Millisecond))
	}
	first, ok := s.past[name].before(last.At.Add(-hold), after)
	if !ok {
		return LoadReading{}, began, fmt.Sprintf("the load has not been watched for %s since the last change", hold)
	}
	over = last.whole().Sub(first.whole())
	if over.Latency == nil && last.OK > first.OK {
		return over, first.At, "the latencies of the load were not read"
	}
	return over, first.At, ""
}

func (s *sampler) judge() error {
	for _, rule := range s.rules {
		over, full := s.last(rule.Load(), rule.Window())
		if !full {
			continue
		}
		if observed, tripped := rule.Exceeded(over); tripped {
			return &abortError{rule.String(), observed}
		}
	}
	return nil
}
