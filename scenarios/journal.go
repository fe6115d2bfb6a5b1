package scenarios

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A journal records, durably and beforehand, what a run does to the world. Its file lives exactly as long as something may have
// to be undone.
type journal struct {
	file *os.File
	next int
}

// entry is one line of a journal.
type entry struct {
	Op       string          `json:"op"` // run, intend, undone
	At       time.Time       `json:"at"`
	Number   int             `json:"number,omitempty"`
	Scenario string          `json:"scenario,omitempty"`
	Kind     string          `json:"kind,omitempty"`
	Step     string          `json:"step,omitempty"`
	Detail   string          `json:"detail,omitempty"`
	Undo     json.RawMessage `json:"undo,omitempty"`
}

const journalExt = ".jsonl"

func openJournal(dir, scenario string, at time.Time) (*journal, error) {
	name := at.UTC().Format("20060102T150405.000000000Z") + "-" + scenario + journalExt
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &journal{file: f}
	if err := j.write(entry{Op: "run", At: at, Scenario: scenario}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, syncDir(dir)
}

// intend records what is about to be done, and returns once it is on disk.
func (j *journal) intend(at time.Time, kind, step, detail string, undo any) (entry, error) {
	j.next++
	e := entry{Op: "intend", At: at, Number: j.next, Kind: kind, Step: step, Detail: detail}
	if undo != nil {
		data, err := json.Marshal(undo)
		if err != nil {
			return entry{}, fmt.Errorf("writing the journal: %w", err)
		}
		e.Undo = data
	}
	return e, j.write(e)
}

func (j *journal) undone(at time.Time, number int) error {
	return j.write(entry{Op: "undone", At: at, Number: number})
}

func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// finish closes the journal; when everything is undone it is removed.
func (j *journal) finish(clean bool) error {
	err := j.file.Close()
	if clean {
		err = errors.Join(err, os.Remove(j.file.Name()))
	}
	return err
}

// leftovers lists the journals in a directory, the newest first.
func leftovers(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+journalExt))
	if err != nil {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(b, a) })
	return files, nil
}

// pending reads which entries of a journal have not been undone, the latest first.
func pending(path string) ([]entry, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	var open []entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile)
	for n := 1; lines.Scan(); n++ {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, &HintError{fmt.Errorf("reading the journal %s line %d: %w", path, n, err), "mend what it names by hand, then delete the file"}
		}
		switch e.Op {
		case "intend":
			if len(e.Undo) > 0 {
				open = append(open, e)
			}
		case "undone":
			open = slices.DeleteFunc(open, func(o entry) bool { return o.Number == e.Number })
		}
	}
	slices.Reverse(open)
	return open, lines.Err()
}

// trim drops a last line torn by the kill: it was not yet durable, so what it intended was not done.
func trim(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	if whole == len(data) {
		return nil
	}
	if err := os.Truncate(path, int64(whole)); err != nil {
		return fmt.Errorf("mending the journal: %w", err)
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
