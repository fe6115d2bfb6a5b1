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
	// Scenario is the name of the scenario. The same Seed replays the random choices of the run.
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Result is the verdict on the whole run.
	Result Result `json:"result"`
	// Summary is for people. See [Report.Summarize].
	Summary string `json:"summary"`
	// Message says in a sentence why the result is not a pass.
	Message string `json:"message,omitempty"`
	// StartedAt is when the run started, and Seconds how long it took with its cleanup.
	StartedAt time.Time `json:"startedAt"`
	Seconds   float64   `json:"seconds"`
	// Steps has the steps of the file, in order, as far as they could be planned. Timeline is in the order of time.
	Steps    []Step  `json:"steps"`
	Timeline []Event `json:"timeline"`
	// Expectations has every expectation of the file in its order, those that were not reached with the result skip. It is empty for a dry run.
	Expectations []Finding `json:"expectations"`
	// Recovery has the times from the first fault on.
	Recovery Recovery `json:"recovery"`
	// Load has an entry for each load whose last reading is known.
	Load []Load `json:"load"`
	// Cleanup is what was undone at the end.
	Cleanup Cleanup `json:"cleanup"`
	// LeftBehind lists the changes of earlier runs that are not undone yet.
	LeftBehind []Leftover `json:"leftBehind,omitempty"`
}

// Step is a step as planned and as done.
type Step struct {
	// Name is the name of the step, Action that of its action in the catalog; empty without an action.
	Name   string `json:"name"`
	Action string `json:"action,omitempty"`
	// Detail describes what the step does, for people. Touches is zero for a step without an action. Both are those of the plan until the step starts.
	Detail  string      `json:"detail"`
	Touches BlastRadius `json:"touches"`
	// StartedAt is null if the step was not started.
	StartedAt *time.Time `json:"startedAt"`
	// Result is planned, done, failed or interrupted. planned means that the step was not reached.
	Result string `json:"result"`
}

// BlastRadius is how much of the cluster a step changes.
type BlastRadius struct {
	// Pods is the number of pods that the step affects, OfPods how many the release had before. Both are 0 for a step that affects no pods.
	Pods   int `json:"pods"`
	OfPods int `json:"ofPods"`
	// Share is the affected share of the scenario's intended calls. It counts direct calls only.
	Share target.Share `json:"share"`
}

// Event is one entry of the timeline.
type Event struct {
	// At is the wall-clock time of the event.
	At time.Time `json:"at"`
	// Seconds is the time since the run's startedAt.
	Seconds float64 `json:"seconds"`
	// Kind is phase, step, load or breaker. Subject is the phase, step, load or breaker, Detail what happened to it, for people.
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
	Detail  string `json:"detail"`
}

// Recovery says when callers, breakers and the cluster were affected and when they had recovered. A field is null if the event did not happen.
// Times count from the first fault, except recoverSeconds, which counts from the last heal if there was one, and the durations openSeconds,
// halfOpenSeconds and longestOutageSeconds.
type Recovery struct {
	// FirstFailedSeconds is the time to the first failed call, by intended start.
	FirstFailedSeconds *float64 `json:"firstFailedSeconds"`
	// LongestOutageSeconds is the longest time in which every call failed. It is null without a failed call.
	LongestOutageSeconds *float64 `json:"longestOutageSeconds"`
	// LastFailedSeconds is the time to the last failed call, by intended start.
	LastFailedSeconds *float64 `json:"lastFailedSeconds"`
	// DetectSeconds is the time to the first opening of a breaker.
	DetectSeconds *float64 `json:"detectSeconds"`
	// HalfOpenedSeconds is the time to that breaker's first half-open state.
	HalfOpenedSeconds *float64 `json:"halfOpenedSeconds"`
	// ClosedSeconds is the time to that breaker's last closing. It is null if the breaker was not closed at the end.
	ClosedSeconds *float64 `json:"closedSeconds"`
	// OpenSeconds is how long that breaker was open, until the verdict.
	OpenSeconds *float64 `json:"openSeconds"`
	// HalfOpenSeconds is how long that breaker was half-open.
	HalfOpenSeconds *float64 `json:"halfOpenSeconds"`
	// RecoverSeconds is the time to the start of the window from which everything in recover was true.
	RecoverSeconds *float64 `json:"recoverSeconds"`
}

// Cleanup is what was undone, and what could not be.
type Cleanup struct {
	// Undone describes the changes that were undone, also those that a step has undone.
	Undone []string `json:"undone"`
	// LeftAlone lists what was not undone because another program has changed the value since.
	LeftAlone []string `json:"leftAlone,omitempty"`
	// Residue lists what differs from before the run.
	Residue []string `json:"residue"`
}

// Seconds returns d in seconds, rounded to the millisecond: polling is not more precise.
func Seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
