package scenarios

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

type heal struct{ Step string }

func healKind() ActionKind {
	return ActionKind{
		Kind: grammar.Kind[Action]{
			Name: "heal",
			Doc:  "Undoes an earlier step before the run is over. Recovery is then timed from here.",
			Fields: []grammar.Field{
				grammar.Required("step", "step", "take it down", "the name of an earlier step that can be undone"),
			},
			Decode: func(o grammar.Object) Action { return heal{o.Refer("step", anEarlierStep)} },
		},
	}
}

func (a heal) String() string { return fmt.Sprintf("undo %q", a.Step) }

func (a heal) resolve(_ context.Context, s *stage) (deed, error) {
	s.forecast.heal(a.Step, s)
	return deed{
		detail: a.String(),
		do:     func(ctx context.Context) error { return s.heal(ctx, a.Step) },
	}, nil
}
