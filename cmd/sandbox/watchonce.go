package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/tui"
)

// watchDocument is what the screen shows, as data. The part of a source that did not answer is null; one that has nothing is empty.
type watchDocument struct {
	Name     string            `json:"name"`
	Sources  []sourceDocument  `json:"sources"`
	Calls    []callDocument    `json:"calls"`    // of Prometheus
	Breakers []breakerDocument `json:"breakers"` // of the load generator
	Pods     []podDocument     `json:"pods"`     // of the cluster
	Run      *runDocument      `json:"run"`      // null before the first
}

type sourceDocument struct {
	Name  string    `json:"name"`
	At    time.Time `json:"at"`    // when it was asked
	Error string    `json:"error"` // empty when it answered
	Try   []string  `json:"try,omitempty"`
}

type callDocument struct {
	Caller  string  `json:"caller"`
	Callee  string  `json:"callee"`
	Method  string  `json:"method"`
	Rate    float64 `json:"rate"`    // finished calls per second
	Errors  float64 `json:"errors"`  // share of those, 0 to 1
	Refused float64 `json:"refused"` // share of those, 0 to 1, not among errors
	P50     float64 `json:"p50Ms"`   // 0 when nothing was measured
	P99     float64 `json:"p99Ms"`
}

type breakerDocument struct {
	Caller string                 `json:"caller"`
	Callee string                 `json:"callee"`
	Method string                 `json:"method"`
	State  telemetry.BreakerState `json:"state"`
	Since  *time.Time             `json:"since"` // null when not known
	Reason string                 `json:"reason"`
}

type podDocument struct {
	Name      string     `json:"name"`
	Release   string     `json:"release"`
	Namespace string     `json:"namespace"`
	Phase     string     `json:"phase"`
	Ready     bool       `json:"ready"`
	Restarts  int32      `json:"restarts"`
	Started   *time.Time `json:"started"`
}

type runDocument struct {
	Scenario string          `json:"scenario"`
	Phase    string          `json:"phase"`
	Result   string          `json:"result"` // empty while it runs; "killed" when its process is gone
	Started  *time.Time      `json:"started"`
	PID      int             `json:"pid"`
	Timeline []eventDocument `json:"timeline"`
}

type eventDocument struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
}

func newWatchDocument(name string, answers tui.Answers) watchDocument {
	doc := watchDocument{Name: name}
	for _, a := range answers {
		source := sourceDocument{Name: a.Source.String(), At: a.Snap.At}
		if a.Err != nil {
			source.Error, source.Try = explained(name, a.Err)
			doc.Sources = append(doc.Sources, source)
			continue
		}
		doc.Sources = append(doc.Sources, source)
		switch a.Source {
		case telemetry.Prometheus:
			doc.Calls = each(a.Snap.Edges, documentOfEdge)
		case telemetry.LoadGenerator:
			doc.Breakers = each(a.Snap.Breakers, func(b telemetry.Breaker) breakerDocument {
				return breakerDocument{b.Caller, b.Callee, b.Method, b.State, known(b.Since), b.Reason}
			})
		case telemetry.Cluster:
			doc.Pods = each(a.Snap.Pods, func(p telemetry.Pod) podDocument {
				return podDocument{p.Name, p.Release, p.Namespace, p.Phase, p.Ready, p.Restarts, known(p.Started)}
			})
		case telemetry.Scenario:
			doc.Run = documentOfRun(a.Snap.Run)
		}
	}
	return doc
}

// explained returns the text of an error and its remedies, for the sandbox of a name.
func explained(name string, err error) (text string, try []string) {
	g := globals{name: name}
	return err.Error(), each(remedy.Of(err), func(r remedy.Remedy) string { return r.Text(g.commandLine) })
}

func documentOfEdge(e telemetry.Edge) callDocument {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return callDocument{e.Caller, e.Callee, e.Method, e.Rate, e.Errors, e.Refused, ms(e.P50), ms(e.P99)}
}

func documentOfRun(r *telemetry.Run) *runDocument {
	if r == nil {
		return nil
	}
	return &runDocument{r.Scenario, r.Phase, r.Result, known(r.Started), r.PID, each(r.Timeline, func(e telemetry.Event) eventDocument {
		return eventDocument{e.At, e.Kind, e.Subject, e.Detail}
	})}
}

// each is never nil.
func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, 0, len(list))
	for _, v := range list {
		out = append(out, f(v))
	}
	return out
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// The size of a screen that is printed where there is no terminal.
const stillWidth, stillHeight = 120, 40

// watchOnce prints what the screen shows. A source that does not answer is shown as such, and is no error.
func watchOnce(ctx context.Context, w world, c *live.Cluster, asJSON bool) error {
	answers := tui.Ask(ctx, c.Feed())
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(w.stdout, newWatchDocument(c.Name, answers))
	}
	width, height := stillWidth, stillHeight
	if out, err := terminal(w); err == nil {
		if columns, lines, err := term.GetSize(int(out.Fd())); err == nil {
			width, height = columns, lines-1 // and the prompt
		}
	}
	_, err := io.WriteString(w.stdout, tui.Still(answers, screenOptions(w, nil, c.Name, false), time.Now(), width, height))
	return err
}
