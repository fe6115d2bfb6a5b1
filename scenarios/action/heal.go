package action

import (
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

type heal struct{ Step string }

func healKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "heal",
			Doc:  "Undoes an earlier step before the run is over. Recovery is then timed from here.",
			Fields: []grammar.Field{
				grammar.Required("step", "step", "take it down", "the name of an earlier step that can be undone"),
			},
			Decode: func(o grammar.Object) Action { return heal{o.Refer("step", grammar.StepRef)} },
		},
	}
}

func (a heal) String() string { return fmt.Sprintf("undo %q", a.Step) }

func (a heal) Resolve(_ context.Context, c Context) (Effect, error) {
	return Effect{
		Detail:  a.String(),
		Assumes: Assumption{Undoes: a.Step},
		Do:      func(ctx context.Context) error { return c.UndoStep(ctx, a.Step) },
	}, nil
}
