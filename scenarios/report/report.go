// Package report is what a run reports. [Report] and the types below it are the JSON document that other programs read. The writers turn a report
// into text for people and JUnit XML for build servers.
//
// JSON field names are never renamed or removed; new ones may be added.
package report

import (
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// Result is how a run ended.
type Result string

// The results of a run.
const (
	Pass    Result = "pass"
	Fail    Result = "fail"
	Aborted Result = "aborted" // stopped by a limit
	Error   Result = "error"   // no verdict
	Planned Result = "planned" // a dry run
	Skipped Result = "skipped" // one of several scenarios that was not started
)

// Report is what a run did and observed.
type Report struct {
	Scenario     string     `json:"scenario"`
	Seed         uint64     `json:"seed"`
	Result       Result     `json:"result"`
	Summary      string     `json:"summary"`           // for people; see [Report.Summarize]
	Message      string     `json:"message,omitempty"` // why it is not a pass, in a sentence
	StartedAt    time.Time  `json:"startedAt"`
	Seconds      float64    `json:"seconds"`
	Steps        []Step     `json:"steps"`
	Timeline     []Event    `json:"timeline"`
	Expectations []Finding  `json:"expectations"`
	Recovery     Recovery   `json:"recovery"`
	Load         []Load     `json:"load"`
	Cleanup      Cleanup    `json:"cleanup"`
	LeftBehind   []Leftover `json:"leftBehind,omitempty"` // by earlier runs, and not undone yet
}

// Step is a step as planned and as done.
type Step struct {
	Name      string      `json:"name"`
	Action    string      `json:"action,omitempty"`
	Detail    string      `json:"detail"`
	Touches   BlastRadius `json:"touches"`
	StartedAt *time.Time  `json:"startedAt"` // null if it was not started
	Result    string      `json:"result"`    // planned (not reached), done, failed, interrupted
}

// BlastRadius is how much of the cluster a step changes.
type BlastRadius struct {
	Pods   int          `json:"pods"`
	OfPods int          `json:"ofPods"`
	Share  target.Share `json:"share"` // of the scenario's intended calls, counting direct calls only
}

// Event is one entry of the timeline.
type Event struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // since startedAt
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	Detail  string    `json:"detail"`
}

// Recovery says when callers, breakers and the cluster were affected and when they had recovered. A field is null if the event did not happen.
// Times count from the first fault, except recoverSeconds, which counts from the last heal if there was one, and the durations openSeconds,
// halfOpenSeconds and longestOutageSeconds.
type Recovery struct {
	FirstFailedSeconds   *float64 `json:"firstFailedSeconds"`   // to the first failed call, by intended start
	LongestOutageSeconds *float64 `json:"longestOutageSeconds"` // the longest time in which every call failed; null without a failed call
	LastFailedSeconds    *float64 `json:"lastFailedSeconds"`    // to the last failed call, by intended start
	DetectSeconds        *float64 `json:"detectSeconds"`        // to the first opening of a breaker
	HalfOpenedSeconds    *float64 `json:"halfOpenedSeconds"`    // to that breaker's first half-open state
	ClosedSeconds        *float64 `json:"closedSeconds"`        // to that breaker's last closing; null if it was not closed at the end
	OpenSeconds          *float64 `json:"openSeconds"`          // that breaker's time in open, until the verdict
	HalfOpenSeconds      *float64 `json:"halfOpenSeconds"`      // that breaker's time in half-open
	RecoverSeconds       *float64 `json:"recoverSeconds"`       // to the start of the window from which everything in recover was true
}

// Cleanup is what was undone, and what could not be.
type Cleanup struct {
	Undone    []string `json:"undone"`
	LeftAlone []string `json:"leftAlone,omitempty"` // not undone because another program has changed the value since
	Residue   []string `json:"residue"`             // what differs from before the run
}

// Seconds returns d in seconds, rounded to the millisecond: polling is not more precise.
func Seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
