package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
)

// Files lists the journals in a directory, the newest first.
func Files(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+Ext))
	if err != nil {
		return nil, fmt.Errorf("listing journals: %w", err)
	}
	slices.SortFunc(files, func(a, b string) int { return strings.Compare(b, a) })
	return files, nil
}

// record is the content of a journal.
type record struct {
	path string
	run  Entry
	// changes are those that are not undone, in order.
	changes Stack
	// unusable lists the lines that cannot be read, and the changes that this version cannot undo.
	unusable []report.Leftover
}

// readRecord replays a journal. A last line without an end is left out: the process was killed before the line was durable, so the change was not
// made.
func readRecord(path string) (record, error) {
	r := record{path: path}
	data, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("reading the journal: %w", err)
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	n := 0
	for line := range bytes.Lines(whole) {
		n++
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			r.unusable = append(r.unusable, report.Leftover{Detail: fmt.Sprintf("line %d of the journal", n), Problem: "it cannot be read: " + err.Error()})
			continue
		}
		r.apply(e)
	}
	for i := range r.unusable {
		r.unusable[i].Scenario, r.unusable[i].Journal = r.run.Scenario, path
	}
	return r, nil
}

func (r *record) apply(e Entry) {
	switch e.Op {
	case "run":
		r.run = e
	case "intend":
		if len(e.Undo) > 0 {
			r.intended(e)
		}
	case "undone":
		r.remove(e.Number, true)
	case "forgotten":
		r.remove(e.Number, false)
	}
}

func (r *record) intended(e Entry) {
	read := undoReader(e.Kind)
	if read == nil {
		r.unusable = append(r.unusable, leftover(e, fmt.Sprintf("this version does not know how to undo %q", e.Kind)))
		return
	}
	undo, err := read(e.Undo)
	if err != nil {
		r.unusable = append(r.unusable, leftover(e, "its reversal cannot be read: "+err.Error()))
		return
	}
	r.changes = append(r.changes, &Change{Effect: action.Effect{Detail: e.Detail, Undo: undo}, Entry: e})
}

// remove takes a change out. If it was undone, and not just forgotten, the change above it is undone to its value.
func (r *record) remove(number int, undone bool) {
	r.unusable = slices.DeleteFunc(r.unusable, func(l report.Leftover) bool { return l.Number == number && number != 0 })
	i := slices.IndexFunc(r.changes, func(c *Change) bool { return c.Entry.Number == number })
	if i < 0 {
		return
	}
	if upper := r.changes.above(r.changes[i]); upper != nil && undone {
		upper.Effect.Undo = upper.Effect.Undo.Rebase(r.changes[i].Effect.Undo)
	}
	r.changes = slices.Delete(r.changes, i, i+1)
}

func (r *record) leftovers() []report.Leftover {
	all := slices.Clone(r.unusable)
	for _, c := range r.changes {
		l := leftover(c.Entry, "")
		l.Subject, l.Scenario, l.Journal = c.Effect.Undo.Subject(), r.run.Scenario, r.path
		if of, ok := c.Effect.Undo.(action.OfField); ok {
			l.Field = of.Field()
		}
		all = append(all, l)
	}
	return all
}

func leftover(e Entry, problem string) report.Leftover {
	return report.Leftover{Number: e.Number, At: e.At, Kind: e.Kind, Step: e.Step, Detail: e.Detail, Problem: problem}
}

// Leftovers lists the changes that killed runs left behind, the oldest first. It leaves out the journal of the process running; 0 leaves out none.
func Leftovers(dir string, running int) ([]report.Leftover, error) {
	files, err := Files(dir)
	if err != nil {
		return nil, err
	}
	var all []report.Leftover
	var failed []error
	for _, file := range slices.Backward(files) {
		r, err := readRecord(file)
		if err != nil {
			failed = append(failed, err)
		} else if running == 0 || r.run.PID != running {
			all = append(all, r.leftovers()...)
		}
	}
	return all, errors.Join(failed...)
}

// ErrNotLeft means that no change with this number is left.
var ErrNotLeft = errors.New("no such change is left")

// Forget takes a leftover off the list, by its number, and leaves the cluster as it is. The caller holds the sandbox's lock.
func Forget(dir string, number int) (report.Leftover, error) {
	all, err := Leftovers(dir, 0)
	if err != nil {
		return report.Leftover{}, err
	}
	found := slices.DeleteFunc(all, func(l report.Leftover) bool { return l.Number != number || number <= 0 })
	switch len(found) {
	case 0:
		return report.Leftover{}, remedy.Errorf(remedy.Command("undo", "--list"), "forgetting number %d: %w", number, ErrNotLeft)
	case 1:
	default:
		// In the first version, each journal counted from 1.
		return report.Leftover{}, remedy.Wrap(fmt.Errorf("forgetting number %d: %d journals have a change of this number", number, len(found)),
			remedy.Advice("remove the one that you mean: "+found[0].Journal+" or "+found[1].Journal))
	}
	trim(found[0].Journal)
	j, err := appendTo(found[0].Journal)
	if err != nil {
		return report.Leftover{}, err
	}
	if err := j.write(Entry{Op: "forgotten", At: time.Now(), Number: number}); err != nil {
		return report.Leftover{}, errors.Join(err, j.Finish(false))
	}
	r, err := readRecord(found[0].Journal)
	return found[0], errors.Join(err, j.Finish(err == nil && len(r.leftovers()) == 0))
}

// trim drops a last line without an end, so that the next line can be read.
func trim(path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		// Opening the file for writing reports the error.
		return
	}
	if whole := bytes.LastIndexByte(data, '\n') + 1; whole < len(data) {
		_ = os.Truncate(path, int64(whole))
	}
}
