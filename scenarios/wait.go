package scenarios

import (
	"context"
	"fmt"
	"time"
)

type wait struct{ For time.Duration }

func waitKind() ActionKind {
	return ActionKind{
		Name:   "wait",
		Doc:    "Lets time pass while the load goes on.",
		Fields: []Field{{"for", "duration", true, "8s", "how long"}},
		decode: func(o object) Action { return wait{o.span("for")} },
	}
}

func (a wait) String() string { return fmt.Sprintf("wait %s", a.For) }

func (a wait) resolve(context.Context, *stage) (deed, error) {
	return deed{detail: a.String(), hold: a.For}, nil
}
