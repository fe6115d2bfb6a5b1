package scenarios

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

type wait struct{ For time.Duration }

func waitKind() ActionKind {
	return ActionKind{
		Kind: grammar.Kind[Action]{
			Name:   "wait",
			Doc:    "Lets time pass while the load goes on.",
			Fields: []grammar.Field{grammar.Required("for", "duration", "8s", "how long")},
			Decode: func(o grammar.Object) Action { return wait{o.PositiveDuration("for")} },
		},
	}
}

func (a wait) String() string { return fmt.Sprintf("wait %s", a.For) }

func (a wait) resolve(context.Context, *stage) (deed, error) {
	return deed{detail: a.String(), hold: a.For}, nil
}

func (a wait) lasts() time.Duration { return a.For }
