package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// counts are a release's pods: how many are wanted and how many are ready.
type counts struct{ replicas, ready int }

// plan resolves every target as the world is now, and changes nothing.
func (r *run) plan(ctx context.Context) error {
	look := newStage(r.Scenario, r.target)
	look.forecast = &forecast{}
	for i, s := range r.Steps {
		look.step = i
		step := report.Step{Name: s.Name, Action: s.Kind, Result: "planned"}
		if s.Action != nil {
			if err := r.count(ctx, s.Action); err != nil {
				return err
			}
			d, err := s.Action.resolve(ctx, look)
			if err != nil {
				return fmt.Errorf("planning step %q: %w", s.Name, err)
			}
			step.Detail, step.Touches = d.detail, d.touch
			if err := r.roomFor(ctx, i, s.Action, d.touch.OfPods); err != nil {
				return err
			}
		}
		if s.WaitFor != nil {
			step.Detail = joined(step.Detail, s.WaitFor.String())
			if err := r.reachable(ctx, look, i, s.WaitFor.Condition); err != nil {
				return err
			}
		}
		r.report.Steps = append(r.report.Steps, step)
	}
	return nil
}

// planOnly plans with an eye on what killed runs left: it is in the way, and this run would undo it first.
func (r *run) planOnly(ctx context.Context) error {
	if r.Journal != "" {
		var err error
		if r.report.LeftBehind, err = Leftovers(r.Journal, r.Running); err != nil {
			return err
		}
	}
	return r.blameLeftovers(r.plan(ctx))
}

// blameLeftovers names what killed runs left in an error of the plan, in place of advice that does not reckon with it.
func (r *run) blameLeftovers(err error) error {
	if err == nil || len(r.report.LeftBehind) == 0 {
		return err
	}
	var hint *HintError
	if errors.As(err, &hint) {
		err = errors.New(err.Error())
	}
	err = fmt.Errorf("%w; a killed run left behind: %s", err, strings.Join(described(r.report.LeftBehind), "; "))
	return remedy.Wrap(err, remedy.Command("undo"))
}

// count remembers what a release was before the run changed it.
func (r *run) count(ctx context.Context, a Action) error {
	c, ok := a.(changer)
	if !ok {
		return nil
	}
	release := c.changes()
	if _, known := r.before[release]; known {
		return nil
	}
	n, err := r.countOf(ctx, release)
	if err != nil {
		return err
	}
	r.before[release] = n
	return nil
}

func (r *run) countOf(ctx context.Context, release string) (counts, error) {
	replicas, err := r.target.Workloads.Replicas(ctx, release)
	if err != nil {
		return counts{}, fmt.Errorf("reading replicas of %s: %w", release, err)
	}
	pods, err := r.target.Workloads.Pods(ctx, release)
	if err != nil {
		return counts{}, fmt.Errorf("listing pods of %s: %w", release, err)
	}
	return counts{replicas, target.CountReady(pods)}, nil
}

// settle gives releases that were just put back the time to get ready; the plan judges whether they did.
func (r *run) settle(ctx context.Context) error {
	limit := r.Clock.Now().Add(r.Settle)
	for _, s := range r.Steps {
		c, ok := s.Action.(changer)
		for ok {
			n, err := r.countOf(ctx, c.changes())
			if err != nil {
				return err
			}
			if n.ready >= n.replicas || !r.Clock.Now().Before(limit) {
				break
			}
			if err := clock.Pause(ctx, r.Clock, pulse); err != nil {
				return err
			}
		}
	}
	return nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", then " + b
}
