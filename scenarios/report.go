package scenarios

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Report is what a run observed. Its JSON field names are a contract: add, never rename.
type Report struct {
	Scenario     string       `json:"scenario"`
	Seed         uint64       `json:"seed"`
	Result       Result       `json:"result"`
	Summary      string       `json:"summary"`           // for people
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

// LoadReport is a load from its start to its stop. Arrivals that never left are in neither of errors and failed.
type LoadReport struct {
	Name                 string           `json:"name"`
	Intended             int64            `json:"intended"`
	Sent                 int64            `json:"sent"`
	OK                   int64            `json:"ok"`
	Failed               int64            `json:"failed"`               // the sum of errors
	Errors               map[string]int64 `json:"errors"`               // failed calls by code, as callers saw them
	Refused              map[string]int64 `json:"refused"`              // of those, by reason, the ones that the caller's own breaker or limit refused
	NeverLeft            int64            `json:"neverLeft"`            // arrivals that the generator could not send
	Latency              Latencies        `json:"latencyMs"`            // of answered calls
	FailedLatency        Latencies        `json:"failedLatencyMs"`      // of failed calls that left the caller
	FirstFailedSeconds   *float64         `json:"firstFailedSeconds"`   // since startedAt, by intended start; null without a failed call
	LastFailedSeconds    *float64         `json:"lastFailedSeconds"`    // the same
	LongestOutageSeconds float64          `json:"longestOutageSeconds"` // the longest time in which every call failed
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

func loadReport(name string, r LoadReading, started time.Time) LoadReport {
	out := LoadReport{
		Name: name, Intended: r.Intended, Sent: r.Sent, OK: r.OK, Failed: r.Failed(), Errors: counted(r.Errors), Refused: counted(r.Refused),
		NeverLeft: r.Errors[target.NeverLeft], Latency: latencies(r.Latency), FailedLatency: latencies(r.FailedLatency),
	}
	delete(out.Errors, target.NeverLeft)
	for i, p := range r.Failures {
		if i == 0 {
			out.FirstFailedSeconds = new(seconds(p.First.Sub(started)))
		}
		out.LastFailedSeconds = new(seconds(p.Last.Sub(started)))
		out.LongestOutageSeconds = max(out.LongestOutageSeconds, seconds(p.Outage))
	}
	return out
}

func counted(counts map[string]int64) map[string]int64 {
	out := map[string]int64{}
	for key, n := range counts {
		if n != 0 {
			out[key] = n
		}
	}
	return out
}

func latencies(h *hdrhistogram.Histogram) Latencies {
	if h == nil || h.TotalCount() == 0 {
		return Latencies{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	return Latencies{at(50), at(90), at(99), at(99.9), float64(h.Max()) / 1000}
}
