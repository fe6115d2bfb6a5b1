package doctor

import (
	"context"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// runsUndone warns about changes that killed runs left behind, because they look like faults of the services.
func runsUndone(_ context.Context, w Host) Result {
	if w.LeftBehind == nil {
		return skip("no sandbox to look at")
	}
	left, err := w.LeftBehind()
	switch {
	case err != nil:
		return fail(remedy.Command("undo"), "the journals of runs cannot be read: %v", err)
	case len(left) > 0:
		return warn(remedy.Command("undo"), "killed runs left %s behind: %s", count(len(left), "change"), strings.Join(left, "; "))
	}
	return pass("no run left anything behind")
}
