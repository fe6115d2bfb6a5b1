package doctor

import (
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// named is the maximum number of names that a message lists.
const named = 3

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// describe names the first pods that are not ready.
func describe(bad []telemetry.Pod, total int) string {
	var names []string
	for _, p := range bad {
		names = append(names, p.Name+" ("+p.Phase+")")
	}
	return fmt.Sprintf("%d of %s not ready: %s", len(bad), count(total, "pod"), some(names))
}

func some(names []string) string {
	if more := len(names) - named; more > 0 {
		return strings.Join(names[:named], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// logsOf returns the command that shows the log of a pod: kubectl for a pod of a release that `sandbox logs` does not accept.
func logsOf(w Host, p telemetry.Pod) remedy.Remedy {
	if p.Release == "" {
		return remedy.Advice(w.kubectl() + " -n " + p.Namespace + " logs " + p.Name)
	}
	return remedy.Command("logs", p.Release)
}
