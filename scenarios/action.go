package scenarios

import (
	"context"
	"encoding/json"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// Action is one thing a step does to the world.
type Action interface {
	String() string
	// resolve finds the targets and what undoes the action; it reads the world and changes nothing.
	resolve(ctx context.Context, s *stage) (deed, error)
}

// A changer is an action whose release is compared, after clean-up, with what it was before.
type changer interface{ changes() (release string) }

// The optional abilities of an action.
type (
	lasting    interface{ lasts() time.Duration } // it goes on after it is done
	rateSetter interface {
		setsRate() (load string, rate Rate)
	}
)

// A deed is an action with its targets found: what it will do and what undoes it, both known before it is done.
type deed struct {
	detail string // for the timeline and the plan
	touch  report.BlastRadius
	undo   reversal                    // written to the journal; nil when nothing has to be put back
	do     func(context.Context) error // nil when there is only time to pass
	hold   time.Duration               // how long the step lasts after do
	revert bool                        // undo when hold is over
	undone func(reversal)              // called after undo has put the world back; may be nil

	// took and back report whether do and its undo have had their effect; nil: at once.
	took, back func(context.Context) (bool, error)
}

// ActionKind is an entry of the catalog of actions.
type ActionKind struct {
	grammar.Kind[Action]
	Disturbs bool                                    // recovery is timed from the first step that does
	undo     func(json.RawMessage) (reversal, error) // reads what a step of this kind journals; nil: nothing to put back
}

// Undoable says whether heal, clean-up and Undo put anything back.
func (k ActionKind) Undoable() bool { return k.undo != nil }

// Actions lists every action a step can do.
func Actions() []ActionKind {
	return []ActionKind{killPodKind(), scaleKind(), setRateKind(), healKind(), waitKind()}
}

// actionGrammar is the catalog of actions as files are read by.
func actionGrammar() []grammar.Kind[Action] {
	var out []grammar.Kind[Action]
	for _, k := range Actions() {
		out = append(out, k.Kind)
	}
	return out
}

func actionKind(name string) ActionKind {
	for _, k := range Actions() {
		if k.Name == name {
			return k
		}
	}
	return ActionKind{}
}

func undoable(kind string) bool { return actionKind(kind).Undoable() }
