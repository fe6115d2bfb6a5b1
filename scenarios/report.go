package scenarios

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run observed. Its JSON field names are a contract: add, never rename.
type Report struct {
	Scenario     string       `json:"scenario"`
	Seed         uint64       `json:"seed"`
	Result       Result       `json:"result"`
	Message      string       `json:"message,omitempty"` // why it is not a pass, in a sentence
	StartedAt    time.Time    `json:"startedAt"`
	Seconds      float64      `json:"seconds"`
	Steps        []StepReport `json:"steps"`
	Timeline     []Moment     `json:"timeline"`
	Expectations []Finding    `json:"expectations"`
	Recovery     Recovery     `json:"recovery"`
	Load         []LoadReport `json:"load"`
	Cleanup      Cleanup      `json:"cleanup"`
	LeftBehind   []Leftover   `json:"leftBehind,omitempty"` // by earlier runs, and not put back
}

// StepReport is a step as planned and as done.
type StepReport struct {
	Name      string     `json:"name"`
	Action    string     `json:"action,omitempty"`
	Detail    string     `json:"detail"`
	Touches   Touch      `json:"touches"`
	StartedAt *time.Time `json:"startedAt"` // null until it was begun
	Result    string     `json:"result"`    // planned (not come to), done, failed, interrupted
}

// Moment is one entry of the timeline.
type Moment struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // since startedAt
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
}

// Recovery says how the breakers and the world reacted; what did not happen is null.
type Recovery struct {
	DetectSeconds   *float64 `json:"detectSeconds"`   // first fault to the first breaker opening after it
	OpenSeconds     *float64 `json:"openSeconds"`     // that breaker's time in open, until the verdict
	HalfOpenSeconds *float64 `json:"halfOpenSeconds"` // that breaker's time in half-open
	RecoverSeconds  *float64 `json:"recoverSeconds"`  // the last heal, or else the first fault, to recover holding
}

// LoadReport is a load from its start to its stop.
type LoadReport struct {
	Name     string           `json:"name"`
	Intended int64            `json:"intended"`
	Sent     int64            `json:"sent"`
	OK       int64            `json:"ok"`
	Errors   map[string]int64 `json:"errors"`
	Latency  Latencies        `json:"latencyMs"`
}

// Latencies are in milliseconds, from the intended start.
type Latencies struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Cleanup says what was put back, and what could not be.
type Cleanup struct {
	Undone    []string `json:"undone"`
	LeftAlone []string `json:"leftAlone,omitempty"` // changed by another program since, and therefore not put back
	Residue   []string `json:"residue"`
}

// WriteJSON writes the report as one indented JSON object.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

func loadReport(name string, r LoadReading) LoadReport {
	errs := map[string]int64{}
	for code, n := range r.Errors {
		if n != 0 {
			errs[code] = n
		}
	}
	return LoadReport{name, r.Intended, r.Sent, r.OK, errs, latencies(r.Latency)}
}

func latencies(h *hdrhistogram.Histogram) Latencies {
	if h == nil || h.TotalCount() == 0 {
		return Latencies{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Latencies{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1000}
}

// recovery reads the breakers' part out of the trails; it is pure.
func recovery(trails []trail, fault, until time.Time) Recovery {
	var out Recovery
	if fault.IsZero() {
		return out
	}
	var first *trail
	var opened time.Time
	for i := range trails {
		if at, ok := trails[i].entered("open", fault); ok && (first == nil || at.Before(opened)) {
			first, opened = &trails[i], at
		}
	}
	if first == nil {
		return out
	}
	out.DetectSeconds = new(seconds(opened.Sub(fault)))
	out.OpenSeconds = new(seconds(first.during("open", fault, until)))
	out.HalfOpenSeconds = new(seconds(first.during("half-open", fault, until)))
	return out
}

// seconds are rounded to the millisecond: finer is below what a poll can tell.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
