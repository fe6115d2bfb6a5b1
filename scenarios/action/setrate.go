package action

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type setRate struct {
	Load string
	Rate target.Rate
	For  time.Duration
}

func setRateKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "setRate",
			Doc:  "Changes a load's rate. Undoing restores the rate from before; with `for` that happens automatically.",
			Fields: []grammar.Field{
				grammar.Required("load", "load", "browse", "the load"),
				grammar.Required("rate", "rate", "300/s", "the new rate"),
				grammar.Optional("for", "duration", "10s", "how long; default until it is healed or the run ends"),
			},
			Decode: func(o grammar.Object) Action {
				return setRate{o.Refer("load", grammar.LoadRef), o.Rate("rate"), o.Duration("for", 0)}
			},
		},
		Disturbs: true,
		ReadUndo: ReversalOf[rateBack],
	}
}

func (a setRate) String() string {
	if a.For > 0 {
		return fmt.Sprintf("set %s to %s for %s", a.Load, a.Rate, a.For)
	}
	return fmt.Sprintf("set %s to %s", a.Load, a.Rate)
}

func (a setRate) Lasts() time.Duration { return a.For }

func (a setRate) SetsRate() (string, target.Rate) { return a.Load, a.Rate }

func (a setRate) Resolve(_ context.Context, c Context) (Effect, error) {
	before := c.rate(a.Load)
	e := Effect{
		Detail:  fmt.Sprintf("set %s from %s to %s", a.Load, before, a.Rate),
		Touches: report.BlastRadius{Share: c.shareOf(func(l target.LoadSpec) bool { return l.Name == a.Load })},
		Undo:    rateBack{c.LoadPrefix + a.Load, before, &a.Rate},
		Hold:    a.For,
		Revert:  a.For > 0,
		Do: func(ctx context.Context) error {
			if err := c.Target.Loads.SetRate(ctx, a.Load, a.Rate); err != nil {
				return fmt.Errorf("setting the rate of %s to %s: %w", a.Load, a.Rate, err)
			}
			return nil
		},
	}
	// A change that is reverted leaves the rate as it was before the step.
	if !e.Revert {
		e.Assumes.Rates = map[string]target.Rate{a.Load: a.Rate}
	}
	return e, nil
}

// rateBack restores the rate from before.
type rateBack struct {
	// Load is the name of the load on the generator.
	Load string      `json:"load"`
	Rate target.Rate `json:"rate"`
	// Set is the rate that the step set. It is absent in the first version of the journal.
	Set *target.Rate `json:"set,omitempty"`
}

func (b rateBack) Subject() string { return "rate of " + target.ShortName(b.Load) }

func (b rateBack) Rebase(below Reversal) Reversal {
	b.Rate = below.(rateBack).Rate
	return b
}

func (b rateBack) Restore(ctx context.Context, t target.Target) error {
	name := target.ShortName(b.Load)
	now, err := t.Loads.Read(ctx, b.Load)
	switch {
	case errors.Is(err, target.ErrNoLoad):
		return nil
	case err != nil:
		return fmt.Errorf("reading load %s: %w", name, err)
	case now.Rate == b.Rate:
		return nil
	case b.Set != nil && now.Rate != *b.Set:
		return &ChangedError{Subject: b.Subject(), Is: now.Rate.String(), Set: b.Set.String()}
	}
	if err := t.Loads.SetRate(ctx, b.Load, b.Rate); err != nil && !errors.Is(err, target.ErrNoLoad) {
		return fmt.Errorf("setting the rate of %s back to %s: %w", name, b.Rate, err)
	}
	return nil
}
