package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// LoadKind is the kind of entries for the start of a load, which every run does without a step.
const LoadKind = "load"

// StopLoad is the reversal of the start of a load.
type StopLoad struct {
	// Load is the name of the load on the generator.
	Load string `json:"load"`
}

// Subject names the load.
func (l StopLoad) Subject() string { return "load " + l.Load }

// Rebase returns l: the start of a load is never on top of another.
func (l StopLoad) Rebase(action.Reversal) action.Reversal { return l }

// Restore stops the load. It accepts that the load is gone, because the generator may have been restarted.
func (l StopLoad) Restore(ctx context.Context, t target.Target) error {
	if _, err := t.Loads.Stop(ctx, l.Load); err != nil && !errors.Is(err, target.ErrNoLoad) {
		return fmt.Errorf("stopping load %s: %w", target.ShortName(l.Load), err)
	}
	return nil
}

// undoReader returns how the reversals of a kind of entry are read; nil if this version does not know the kind.
func undoReader(kind string) func(json.RawMessage) (action.Reversal, error) {
	if kind == LoadKind {
		return action.ReversalOf[StopLoad]
	}
	return action.Find(kind).ReadUndo
}
