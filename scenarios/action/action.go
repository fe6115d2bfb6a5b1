// Package action has what a step of a scenario can do to the cluster.
//
// Each kind of [Action] is a file with a test. It is an entry of the catalog [Kinds], which the reader of scenario files, the README, the JSON
// Schema and the tests range over. [Action.Resolve] finds the targets and returns an [Effect]: what will be done, how it is undone, and what is
// assumed of the cluster afterwards. Resolve itself changes nothing, so a plan resolves every step of a scenario without touching the cluster.
//
//	Action ─ Resolve(Context) ─▶ Effect ─┬─ Detail, Touches   the plan and the timeline
//	                                     ├─ Undo              the journal, before Do
//	                                     ├─ Do                the cluster
//	                                     └─ Assumes           the Context of the next step
package action

import (
	"context"
	"encoding/json"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Action is the one thing that a step does to the cluster.
type Action interface {
	// String describes the action, such as "kill 1 of userservice".
	String() string
	// Resolve finds the targets. It reads the cluster and changes nothing.
	Resolve(ctx context.Context, c Context) (Effect, error)
}

// The optional abilities of an action. One that can be written and still makes no sense also implements [grammar.Validator].
type (
	// Changer is an action that changes the pods of a release. The run compares them with what they were before. Its field is called release.
	Changer interface {
		// Changes returns the name of the release.
		Changes() (release string)
	}
	// Affecting is an action that affects the calls of a release, or its certificate, and not its pods. Its field is called release.
	Affecting interface {
		// Affects returns the name of the release.
		Affects() (release string)
	}
	// Matching is an action that concerns only the calls of some methods of a service.
	Matching interface {
		// Matches returns the service and the patterns that select its methods.
		Matches() (service string, patterns []Pattern)
	}
	// Lasting is an action that takes time by itself.
	Lasting interface {
		// Lasts returns for how long.
		Lasts() time.Duration
	}
	// RateSetter is an action that sets the rate of a load.
	RateSetter interface {
		// SetsRate returns the name of the load and its new rate.
		SetsRate() (load string, rate target.Rate)
	}
)

// Pattern is a pattern of methods, and the field that has it, such as spec.methods[0].method.
type Pattern struct{ Field, Methods string }

// Effect is an action whose targets have been found: what it will do and how it is undone, both known before it is done.
type Effect struct {
	// Detail describes the effect in the plan and the timeline.
	Detail string
	// Touches is how much of the cluster the effect changes.
	Touches report.BlastRadius
	// Undo is written to the journal before Do is called. nil means that there is nothing to undo.
	Undo Reversal
	// Assumes is what the plan assumes of the cluster after the effect.
	Assumes Assumption

	// Do makes the change. nil means that time just passes.
	Do func(context.Context) error
	// Hold is how long the step lasts after Do.
	Hold time.Duration
	// Revert means that the change is undone at the end of Hold.
	Revert bool

	// Settled and UndoSettled report whether Do and the undo have had their effect on callers. nil means immediately.
	Settled, UndoSettled func(context.Context) (bool, error)
}

// Kind is an entry of the catalog of actions.
type Kind struct {
	grammar.Kind[Action]
	// Disturbs marks actions that callers may notice. Recovery is timed from the first step that does.
	Disturbs bool
	// ReadUndo reads the reversal that a step of this kind has written to the journal; nil if there is nothing to undo. See [ReversalOf].
	ReadUndo func(json.RawMessage) (Reversal, error)
}

// Kinds lists every kind of action.
func Kinds() []Kind {
	return []Kind{killPodKind(), scaleKind(), setRateKind(), faultKind(), applyPolicyKind(), revokePartnerKind(), renewCertificateKind(), healKind(), waitKind()}
}

// Grammar returns the catalog by which files are read.
func Grammar() []grammar.Kind[Action] {
	var out []grammar.Kind[Action]
	for _, k := range Kinds() {
		out = append(out, k.Kind)
	}
	return out
}

// Find returns the kind with a name, or the zero Kind.
func Find(name string) Kind {
	for _, k := range Kinds() {
		if k.Name == name {
			return k
		}
	}
	return Kind{}
}

// Undoable reports whether steps of this kind can be undone.
func (k Kind) Undoable() bool { return k.ReadUndo != nil }
