package scenarios

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

// A journal records, durably and beforehand, what a run does to the world. Its file lives exactly as long as something may have
// to be undone.
type journal struct {
	file journalFile
	size int64 // of what is durable
	next int   // number of the last change
	torn error // why nothing can be written any more
}

// journalFile is an *os.File that is open for appending.
type journalFile interface {
	io.WriteCloser
	Name() string
	Sync() error
	Truncate(size int64) error
}

// entry is one line of a journal.
type entry struct {
	Op       string          `json:"op"` // run, intend, undone, forgotten
	At       time.Time       `json:"at"`
	Number   int             `json:"number,omitempty"`
	PID      int             `json:"pid,omitempty"` // of the run's process
	Scenario string          `json:"scenario,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Step     string          `json:"step,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	Undo     json.RawMessage `json:"undo,omitempty"`
}

const journalExt = ".jsonl"

// newJournalFile makes the file of a journal, and its folder.
func newJournalFile(path string) (journalFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
}

// openJournal starts the journal of a run. Its changes are numbered from after on, so that a number names one change of all journals.
func (r *run) openJournal(after int) error {
	path := filepath.Join(r.Journal, r.name+journalExt)
	f, err := r.newJournalFile(path)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	j := &journal{file: f, next: after}
	if err := j.write(entry{Op: "run", At: r.Clock.Now(), PID: os.Getpid(), Scenario: r.Name}); err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	r.journal = j
	return syncDir(r.Journal)
}

// appendTo opens the journal of an earlier run, to write what was undone.
func appendTo(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal: %w", err), f.Close())
	}
	return &journal{file: f, size: info.Size()}, nil
}

// intend records what is about to be done, and returns once it is on disk.
func (j *journal) intend(at time.Time, kind, step, detail string, undo action.Reversal) (entry, error) {
	e := entry{Op: "intend", At: at, Number: j.next + 1, Kind: kind, Step: step, Detail: detail}
	if undo != nil {
		data, err := json.Marshal(undo)
		if err != nil {
			return entry{}, fmt.Errorf("writing the journal: %w", err)
		}
		e.Undo = data
	}
	if err := j.write(e); err != nil {
		return entry{}, err
	}
	j.next++
	return e, nil
}

func (j *journal) undone(at time.Time, number int) error {
	return j.write(entry{Op: "undone", At: at, Number: number})
}

// write appends one durable line or nothing: half a line, as a full disk leaves it, would spoil the next one.
func (j *journal) write(e entry) error {
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

// finish closes the journal; when everything is undone it is removed.
func (j *journal) finish(clean bool) error {
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
