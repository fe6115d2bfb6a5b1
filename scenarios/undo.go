package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// loadStart is the journal's name for a load; its undo is to stop it.
const loadStart = "load"

type loadStop struct {
	Load string `json:"load"`
}

// stopLoad is content when the load is gone, for then it did not survive what killed the run.
var stopLoad = undoOf(func(ctx context.Context, t Target, l loadStop) error {
	if _, err := t.Loads.Stop(ctx, l.Load); err != nil && !errors.Is(err, ErrNoLoad) {
		return fmt.Errorf("stopping load %s: %w", l.Load, err)
	}
	return nil
})

func undoFor(kind string) func(context.Context, Target, json.RawMessage) error {
	if kind == loadStart {
		return stopLoad
	}
	return actionKind(kind).undo
}

// Undo puts back what runs that were killed left behind, and says what it undid. Run does this first by itself.
func Undo(ctx context.Context, target Target, journalDir string) (undone []string, err error) {
	unlock, err := lock(journalDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return undoLeftovers(ctx, target, journalDir)
}

func undoLeftovers(ctx context.Context, target Target, dir string) ([]string, error) {
	files, err := leftovers(dir)
	if err != nil {
		return nil, err
	}
	var undone []string
	for _, file := range files {
		done, err := undoFile(ctx, target, file)
		undone = append(undone, done...)
		if err != nil {
			return undone, err
		}
	}
	return undone, nil
}

func undoFile(ctx context.Context, target Target, file string) ([]string, error) {
	if err := trim(file); err != nil {
		return nil, err
	}
	entries, err := pending(file)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &journal{file: f}
	var undone []string
	for _, e := range entries {
		undo := undoFor(e.Kind)
		if undo == nil {
			err = &HintError{fmt.Errorf("undoing %q of %s: this version does not know how", e.Kind, filepath.Base(file)), "run the sandbox version that wrote it"}
			return undone, errors.Join(err, j.finish(false))
		}
		if err := undo(ctx, target, e.Undo); err != nil {
			err = &HintError{fmt.Errorf("undoing what a killed run left: %w", err), "sandbox status; once the cluster answers, run again"}
			return undone, errors.Join(err, j.finish(false))
		}
		undone = append(undone, e.Detail)
		if err := j.undone(e.At, e.Number); err != nil {
			return undone, errors.Join(err, j.finish(false))
		}
	}
	return undone, j.finish(true)
}
