package flock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Holder is the command that has a lock.
type Holder struct {
	// Verb is the command line without the name of the program, such as "run pod-kill".
	Verb string `json:"verb"`
	// PID is the id of its process; 0 if the process has not written its name yet. Since is when it took the lock.
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
}

// String describes the holder in a sentence. The zero Holder stands for a process that has not written its name yet.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another command"
	}
	return fmt.Sprintf("`sandbox %s`, process %d, since %s", h.Verb, h.PID, h.Since.Local().Format(time.TimeOnly))
}

// Is reports whether the holder's command is the given verb.
func (h Holder) Is(verb string) bool {
	return h.PID != 0 && (h.Verb == verb || strings.HasPrefix(h.Verb, verb+" "))
}

// HeldError is ErrHeld with the holder's name.
type HeldError struct{ Holder Holder }

// Error names the holder.
func (e *HeldError) Error() string { return "locked by " + e.Holder.String() }

// Is reports true for ErrHeld.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// glance is how long TryAs waits for a lock. HolderOf takes the lock briefly, and a new holder needs a moment to write its name.
const glance = 100 * time.Millisecond

// TryAs is Try for a command that writes its name into the file. If the lock is taken, the error is a *HeldError.
func TryAs(ctx context.Context, path, verb string) (*Lock, error) {
	soon, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	l, err := Wait(soon, path)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &HeldError{read(path)}
	case err != nil:
		return nil, err
	}
	// If the name cannot be written, for example because the disk is full, the lock is still valid.
	if data, err := json.Marshal(Holder{verb, os.Getpid(), time.Now()}); err == nil {
		_ = os.WriteFile(path, data, 0o600)
	}
	return l, nil
}

// HolderOf returns the current holder of the lock at path, and false if the lock is free.
func HolderOf(path string) (Holder, bool) {
	l, err := TryExisting(path)
	if errors.Is(err, ErrHeld) {
		return read(path), true
	}
	if err == nil {
		_ = l.Unlock()
	}
	return Holder{}, false
}

func read(path string) Holder {
	var h Holder
	data, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(data, &h) != nil {
		return Holder{}
	}
	return h
}
