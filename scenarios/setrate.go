package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type setRate struct {
	Load string
	Rate Rate
	For  time.Duration
}

// rateBack is how fast the load was before.
type rateBack struct {
	Load string `json:"load"`
	Rate Rate   `json:"rate"`
}

func setRateKind() ActionKind {
	return ActionKind{
		Name: "setRate",
		Doc:  "Changes a load's rate. Undoing restores the rate before; with `for` that happens by itself.",
		Fields: []Field{
			{"load", "load", true, "browse", "which load"},
			{"rate", "rate", true, "300/s", "the new rate"},
			{"for", "duration", false, "10s", "how long; until healed or the end unless given"},
		},
		Disturbs: true,
		decode:   func(o object) Action { return setRate{o.refer("load", aLoad), o.rate("rate"), o.duration("for", 0)} },
		undo: undoOf(func(ctx context.Context, t Target, before rateBack) error {
			err := t.Loads.SetRate(ctx, before.Load, before.Rate)
			if err != nil && !errors.Is(err, ErrNoLoad) {
				return fmt.Errorf("setting the rate of %s back to %s: %w", before.Load, before.Rate, err)
			}
			return nil
		}),
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
	touch := Touch{Share: 1}
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
		undo:   rateBack{a.Load, before},
		do: func(ctx context.Context) error {
			if err := s.target.Loads.SetRate(ctx, a.Load, a.Rate); err != nil {
				return fmt.Errorf("setting the rate of %s to %s: %w", a.Load, a.Rate, err)
			}
			s.rates[a.Load] = a.Rate
			return nil
		},
		undone: func() { s.rates[a.Load] = before },
		hold:   a.For,
		revert: a.For > 0,
	}, nil
}
