package action

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
)

type wait struct{ For time.Duration }

func waitKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name:   "wait",
			Doc:    "Waits while the load continues.",
			Fields: []grammar.Field{grammar.Required("for", "duration", "8s", "how long")},
			Decode: func(o grammar.Object) Action { return wait{o.PositiveDuration("for")} },
		},
	}
}

func (a wait) String() string { return fmt.Sprintf("wait %s", a.For) }

func (a wait) Lasts() time.Duration { return a.For }

func (a wait) Resolve(context.Context, Context) (Effect, error) {
	return Effect{Detail: a.String(), Hold: a.For}, nil
}
