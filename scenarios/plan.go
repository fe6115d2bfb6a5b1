package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/watch"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// counts is how many pods a release wants and how many are ready.
type counts struct{ replicas, ready int }

// plan resolves every step against the cluster as it is now and the assumptions of the steps before it. It changes nothing.
func (r *run) plan(ctx context.Context) error {
	var assumed action.State
	for i, s := range r.Steps {
		step := report.Step{Name: s.Name, Action: s.Kind, Result: "planned"}
		if s.Action != nil {
			if err := r.count(ctx, s.Action); err != nil {
				return err
			}
			c := r.actionContext(i)
			c.Assumed, c.Planning, c.UndoStep = assumed, true, nil
			e, err := s.Action.Resolve(ctx, c)
			if err != nil {
				return fmt.Errorf("planning step %q: %w", s.Name, err)
			}
			step.Detail, step.Touches = e.Detail, e.Touches
			if err := r.roomFor(ctx, i, e); err != nil {
				return err
			}
			assumed = assumed.With(s.Name, e.Assumes)
		}
		if s.WaitFor != nil {
			step.Detail = joined(step.Detail, s.WaitFor.String())
			if err := r.reachable(ctx, assumed, i, s.WaitFor.Condition); err != nil {
				return err
			}
		}
		if s.Measure != nil {
			step.Detail = joined(step.Detail, "measure for "+s.Measure.For.String())
		}
		r.report.Steps = append(r.report.Steps, step)
	}
	return r.queries(ctx)
}

// queries refuses queries that can never yield a number.
func (r *run) queries(ctx context.Context) error {
	for path, x := range r.Metrics() {
		if r.target.Metrics == nil {
			return r.Mistake(path, remedy.Advice("remove it"), "there is no Prometheus")
		}
		if _, err := r.target.Metrics.Value(ctx, x.QueryOver(expect.DefaultHold)); errors.Is(err, telemetry.ErrBadQuery) {
			return r.Mistake(path+".query", remedy.Advice("correct the query"), "%s", err)
		}
	}
	return nil
}

// planOnly plans a dry run. It also lists what killed runs left behind, because a run would undo that first.
func (r *run) planOnly(ctx context.Context) error {
	if r.Journal != "" {
		var err error
		if r.report.LeftBehind, err = Leftovers(r.Journal, r.Running); err != nil {
			return err
		}
	}
	return r.blameLeftovers(r.plan(ctx))
}

// blameLeftovers adds to an error of the plan what killed runs left behind, which may be its cause.
func (r *run) blameLeftovers(err error) error {
	if err == nil || len(r.report.LeftBehind) == 0 {
		return err
	}
	var few *action.TooFewPodsError
	if errors.As(err, &few) {
		// The remedies of the error do not help here, so they are dropped.
		err = errors.New(err.Error())
	}
	err = fmt.Errorf("%w; a killed run left behind: %s", err, strings.Join(descriptions(r.report.LeftBehind), "; "))
	return remedy.Wrap(err, remedy.Command("undo"))
}

// count records the pods of the release that an action changes, as they were before the run.
func (r *run) count(ctx context.Context, a action.Action) error {
	c, ok := a.(action.Changer)
	if !ok {
		return nil
	}
	release := c.Changes()
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

// settle waits until the releases that were just restored are ready. The plan finds out if they are not.
func (r *run) settle(ctx context.Context) error {
	limit := r.Clock.Now().Add(r.Settle)
	for _, s := range r.Steps {
		c, ok := s.Action.(action.Changer)
		for ok {
			n, err := r.countOf(ctx, c.Changes())
			if err != nil {
				return err
			}
			if n.ready >= n.replicas || !r.Clock.Now().Before(limit) {
				break
			}
			if err := clock.Pause(ctx, r.Clock, watch.Interval); err != nil {
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
