// Package journal records on disk the changes that a run is about to make, so that it can be undone even if the process is killed.
//
// A journal is a file of JSON lines. A line with the reversal is durable before the change is made ([Journal.Intend]), another follows when the
// change is undone ([Journal.Undone]). The file exists as long as something may have to be undone. A later process reads it back as a [Stack] of
// changes and undoes them, the latest first ([UndoAll]).
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
)

// Ext is the extension of journals.
const Ext = ".jsonl"

// Journal is a journal that is open for writing.
type Journal struct {
	file File
	// size is the length of the durable part in bytes.
	size int64
	// next is the last number that was given to a change.
	next int
	// torn is the error after which nothing can be written any more.
	torn error
}

// File is a file that is open for appending.
type File interface {
	io.WriteCloser
	// Name returns the path of the file.
	Name() string
	// Sync writes the content to the disk.
	Sync() error
	// Truncate cuts the file to a size in bytes.
	Truncate(size int64) error
}

// Entry is one line of a journal.
type Entry struct {
	// Op is run, intend, undone or forgotten.
	Op string `json:"op"`
	// At is the time of Op.
	At time.Time `json:"at"`
	// Number identifies the change; 0 for run.
	Number int `json:"number,omitempty"`
	// PID is the ID of the run's process.
	PID int `json:"pid,omitempty"`
	// Scenario is the name of the scenario, of run only.
	Scenario string `json:"scenario,omitempty"`
	// Kind is the name of an action, or LoadKind.
	Kind string `json:"kind,omitempty"`
	// Step is the name of the step; empty for a load. Detail describes the change.
	Step   string `json:"step,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Undo is the reversal as its kind reads it; empty if there is nothing to undo.
	Undo json.RawMessage `json:"undo,omitempty"`
}

// Create creates the file of a journal, and its directory.
func Create(path string) (File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
}

// Options are the options of a new journal.
type Options struct {
	// Path is the path of the new file, with the extension Ext.
	Path string
	// Scenario is the name of the scenario, At the time at which the run starts.
	Scenario string
	At       time.Time
	// After is the number of the last leftover. Numbers go on from there, so that each identifies one change in all journals.
	After int
	// Create creates the file. nil means the function Create.
	Create func(path string) (File, error)
}

// Start creates the journal of a run.
func Start(o Options) (*Journal, error) {
	if o.Create == nil {
		o.Create = Create
	}
	f, err := o.Create(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &Journal{file: f, next: o.After}
	if err := j.write(Entry{Op: "run", At: o.At, PID: os.Getpid(), Scenario: o.Scenario}); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(o.Path))
	}
	return j, syncDir(filepath.Dir(o.Path))
}

// appendTo opens the journal of an earlier run, to record the changes that are undone.
func appendTo(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal: %w", err), f.Close())
	}
	return &Journal{file: f, size: info.Size()}, nil
}

// Intend records a change that is about to be made. When it returns without an error, the line is on disk. The entry has the time, kind, step and
// detail; Intend adds the number.
func (j *Journal) Intend(e Entry, undo action.Reversal) (Entry, error) {
	e.Op, e.Number = "intend", j.next+1
	if undo != nil {
		data, err := json.Marshal(undo)
		if err != nil {
			return Entry{}, fmt.Errorf("writing the journal: %w", err)
		}
		e.Undo = data
	}
	if err := j.write(e); err != nil {
		return Entry{}, err
	}
	j.next++
	return e, nil
}

// Undone records that a change is undone.
func (j *Journal) Undone(at time.Time, number int) error {
	return j.write(Entry{Op: "undone", At: at, Number: number})
}

// write appends one durable line or nothing: half a line, as a full disk leaves it, would make the next one unreadable.
func (j *Journal) write(e Entry) error {
	if j.torn != nil {
		return fmt.Errorf("writing the journal after a failure: %w", j.torn)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	line = append(line, '\n')
	if _, err = j.file.Write(line); err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		j.size += int64(len(line))
		return nil
	}
	if torn := j.file.Truncate(j.size); torn != nil {
		j.torn = err
	}
	return fmt.Errorf("writing the journal: %w", err)
}

// Finish closes the journal, and removes it if everything is undone.
func (j *Journal) Finish(clean bool) error {
	err := j.file.Close()
	if clean {
		err = errors.Join(err, os.Remove(j.file.Name()))
	}
	if err != nil {
		return fmt.Errorf("closing the journal: %w", err)
	}
	return nil
}

// syncDir makes the creation of a file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing the journal's folder: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}
