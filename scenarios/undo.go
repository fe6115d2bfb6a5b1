package scenarios

import (
	"context"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/journal"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// LeftError has what a run, or Undo, could not undo, one description for each. The verdict of the run still counts.
type LeftError struct{ Left []string }

// Error lists what was left behind.
func (e *LeftError) Error() string { return "cleaning up: left behind: " + strings.Join(e.Left, "; ") }

// leftBehind returns a LeftError with its remedies. Only changes in a journal can be undone; others, such as a pod that does not get ready, cannot.
func leftBehind(left []string, journalled bool) error {
	if journalled {
		return remedy.Wrap(&LeftError{left}, remedy.Command("undo", "--list"), remedy.Command("undo"))
	}
	return remedy.Wrap(&LeftError{left}, remedy.Command("status"))
}

// Undo undoes what killed runs left behind. A change that cannot be undone stays in its journal. The others are still undone, and the error is a
// *LeftError. Run does the same before it starts. The caller holds the sandbox's lock.
func Undo(ctx context.Context, t target.Target, journalDir string) (report.Undo, error) {
	undone, err := journal.UndoAll(ctx, target.WithDeadlines(t), journalDir)
	if err == nil && len(undone.Left) > 0 {
		err = leftBehind(descriptions(undone.Left), true)
	}
	return undone, err
}

// Leftovers lists the changes that killed runs left behind, the oldest first. It leaves out those of the run in progress, whose process ID is
// running; 0 means that no run is in progress.
func Leftovers(journalDir string, running int) ([]report.Leftover, error) {
	return journal.Leftovers(journalDir, running)
}

// ErrNotLeft means that no leftover has the number that was given.
var ErrNotLeft = journal.ErrNotLeft

// Forget takes a leftover off the list, by its number, and leaves the cluster as it is. It returns ErrNotLeft if there is none with this number. The
// caller holds the sandbox's lock.
func Forget(journalDir string, number int) (report.Leftover, error) {
	return journal.Forget(journalDir, number)
}

func descriptions(all []report.Leftover) []string {
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.String()
	}
	return out
}
