package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

type setRate struct {
	Load string
	Rate Rate
	For  time.Duration
}

// rateBack is how fast the load was before.
type rateBack struct {
	Load string `json:"load"` // as the generator knows it
	Rate Rate   `json:"rate"`
	Set  *Rate  `json:"set,omitempty"` // what the step made of it; the first version of the journal does not say
}

func (b rateBack) subject() string { return "rate of " + target.ShortName(b.Load) }

func (b rateBack) over(below reversal) reversal {
	b.Rate = below.(rateBack).Rate
	return b
}

func (b rateBack) putBack(ctx context.Context, t Target) error {
	now, err := t.Loads.Read(ctx, b.Load)
	switch {
	case errors.Is(err, ErrNoLoad):
		return nil
	case err != nil:
		return fmt.Errorf("reading load %s: %w", target.ShortName(b.Load), err)
	case now.Rate == b.Rate:
		return nil
	case b.Set != nil && now.Rate != *b.Set:
		return &changedError{subject: b.subject(), is: now.Rate.String(), set: b.Set.String()}
	}
	if err := t.Loads.SetRate(ctx, b.Load, b.Rate); err != nil && !errors.Is(err, ErrNoLoad) {
		return fmt.Errorf("setting the rate of %s back to %s: %w", target.ShortName(b.Load), b.Rate, err)
	}
	return nil
}

func setRateKind() ActionKind {
	return ActionKind{
		Kind: grammar.Kind[Action]{
			Name: "setRate",
			Doc:  "Changes a load's rate. Undoing restores the rate before; with `for` that happens by itself.",
			Fields: []grammar.Field{
				grammar.Required("load", "load", "browse", "which load"),
				grammar.Required("rate", "rate", "300/s", "the new rate"),
				grammar.Optional("for", "duration", "10s", "how long; until healed or the end unless given"),
			},
			Decode: func(o grammar.Object) Action {
				return setRate{o.Refer("load", expect.LoadName), o.Rate("rate"), o.Duration("for", 0)}
			},
		},
		Disturbs: true,
		undo:     reversalOf[rateBack],
	}
}

func (a setRate) String() string {
	if a.For > 0 {
		return fmt.Sprintf("set %s to %s for %s", a.Load, a.Rate, a.For)
	}
	return fmt.Sprintf("set %s to %s", a.Load, a.Rate)
}

func (a setRate) resolve(_ context.Context, s *stage) (deed, error) {
	before := s.rates[a.Load]
	if s.forecast != nil && a.For == 0 { // with For, the rate before is back at the end of the step
		s.forecast.change(s.step, "", a.Load, float64(a.Rate))
		defer func() { s.rates[a.Load] = a.Rate }()
	}
	touch := report.BlastRadius{Share: 1}
	var all Rate
	for _, r := range s.rates {
		all += r
	}
	if all > 0 {
		touch.Share = Share(before / all)
	}
	return deed{
		detail: fmt.Sprintf("set %s from %s to %s", a.Load, before, a.Rate),
		touch:  touch,
		undo:   rateBack{s.prefix + a.Load, before, &a.Rate},
		do: func(ctx context.Context) error {
			if err := s.target.Loads.SetRate(ctx, a.Load, a.Rate); err != nil {
				return fmt.Errorf("setting the rate of %s to %s: %w", a.Load, a.Rate, err)
			}
			s.rates[a.Load] = a.Rate
			return nil
		},
		undone: func(b reversal) { s.rates[a.Load] = b.(rateBack).Rate },
		hold:   a.For,
		revert: a.For > 0,
	}, nil
}

func (a setRate) lasts() time.Duration { return a.For }

func (a setRate) setsRate() (string, Rate) { return a.Load, a.Rate }
