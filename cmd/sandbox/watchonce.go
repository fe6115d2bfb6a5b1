package main

import (
	"context"
	"io"
	"time"

	"golang.org/x/term"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/tui"
)

// watchDocument is what `watch --once -o json` prints: the data of the screen. The part of a source that did not answer is null; a part without data
// is empty. Add fields; never rename one.
type watchDocument struct {
	Name    string           `json:"name"`
	Sources []sourceDocument `json:"sources"`
	// Calls come from Prometheus.
	Calls []callDocument `json:"calls"`
	// Breakers come from the load generator.
	Breakers []breakerDocument `json:"breakers"`
	// Pods come from the cluster.
	Pods []podDocument `json:"pods"`
	// Run is null before the first run.
	Run *runDocument `json:"run"`
}

type sourceDocument struct {
	Name string `json:"name"`
	// At is when the source was queried.
	At time.Time `json:"at"`
	// Error is empty if the source answered.
	Error string `json:"error"`
	// Try are the remedies of the error.
	Try []string `json:"try,omitempty"`
}

type callDocument struct {
	Caller string `json:"caller"`
	Callee string `json:"callee"`
	Method string `json:"method"`
	// Rate is in finished calls per second.
	Rate float64 `json:"rate"`
	// Errors is the share of calls that failed, 0 to 1. It does not include refused calls.
	Errors float64 `json:"errors"`
	// Refused is the share of calls that were refused, 0 to 1.
	Refused float64 `json:"refused"`
	// P50 and P99 are latencies in milliseconds; 0 if nothing was measured.
	P50 float64 `json:"p50Ms"`
	P99 float64 `json:"p99Ms"`
}

type breakerDocument struct {
	Caller string                 `json:"caller"`
	Callee string                 `json:"callee"`
	Method string                 `json:"method"`
	State  telemetry.BreakerState `json:"state"`
	// Since is null if it is not known.
	Since  *time.Time `json:"since"`
	Reason string     `json:"reason"`
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
	Scenario string `json:"scenario"`
	Phase    string `json:"phase"`
	// Result is empty during the run, and "killed" if its process is gone.
	Result   string          `json:"result"`
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

func newWatchDocument(name string, readings []telemetry.Reading) watchDocument {
	doc := watchDocument{
		Name:     name,
		Calls:    part(telemetry.Prometheus, readings, func(edges []telemetry.Edge) []callDocument { return each(edges, documentOfEdge) }),
		Breakers: part(telemetry.ControlPlane, readings, func(all []telemetry.Breaker) []breakerDocument { return each(all, documentOfBreaker) }),
		Pods:     part(telemetry.Cluster, readings, func(pods []telemetry.Pod) []podDocument { return each(pods, documentOfPod) }),
		Run:      part(telemetry.Scenario, readings, documentOfRun),
	}
	for _, r := range readings {
		source := sourceDocument{Name: r.Source, At: r.At}
		if r.Err != nil {
			source.Error, source.Try = explained(name, r.Err)
		}
		doc.Sources = append(doc.Sources, source)
	}
	return doc
}

// part returns the part of the document that shows the data of a source. Without data it is null.
func part[T, D any](source telemetry.Source[T], readings []telemetry.Reading, document func(T) D) (d D) {
	if data, ok := source.Find(readings); ok {
		d = document(data)
	}
	return d
}

// explained returns the text of an error and its remedies. Commands in the remedies are for the sandbox with this name.
func explained(name string, err error) (text string, try []string) {
	g := globals{name: name}
	return err.Error(), each(remedy.Of(err), func(r remedy.Remedy) string { return r.Text(g.commandLine) })
}

func documentOfEdge(e telemetry.Edge) callDocument {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return callDocument{e.Caller, e.Callee, e.Method, e.Rate, e.Errors, e.Refused, ms(e.P50), ms(e.P99)}
}

func documentOfBreaker(b telemetry.Breaker) breakerDocument {
	return breakerDocument{b.Caller, b.Callee, b.Method, b.State, known(b.Since), b.Reason}
}

func documentOfPod(p telemetry.Pod) podDocument {
	return podDocument{p.Name, p.Release, p.Namespace, p.Phase, p.Ready, p.Restarts, known(p.Started)}
}

func documentOfRun(r *telemetry.Run) *runDocument {
	if r == nil {
		return nil
	}
	return &runDocument{r.Scenario, r.Phase, r.Result, known(r.Started), r.PID, each(r.Timeline, func(e telemetry.Event) eventDocument {
		return eventDocument{e.At, e.Kind, e.Subject, e.Detail}
	})}
}

// each returns f of every element. The result is never nil, so that it is [] in JSON.
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

// The size of the printed screen if standard output is not a terminal.
const stillWidth, stillHeight = 120, 40

// watchOnce prints what the screen shows. A source that does not answer is shown as such and is not an error.
func watchOnce(ctx context.Context, proc process, s screen, asJSON bool) error {
	readings := tui.Ask(ctx, s.feed)
	if err := ctx.Err(); err != nil {
		return err
	}
	if asJSON {
		return writeJSON(proc.stdout, newWatchDocument(s.name, readings))
	}
	width, height := stillWidth, stillHeight
	if out, err := terminal(proc); err == nil {
		if columns, lines, err := term.GetSize(int(out.Fd())); err == nil {
			// The last line is for the prompt of the shell.
			width, height = columns, lines-1
		}
	}
	_, err := io.WriteString(proc.stdout, tui.Still(readings, screenOptions(proc, nil, s.name, false), time.Now(), width, height))
	return err
}
