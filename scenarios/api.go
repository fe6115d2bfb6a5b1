package scenarios

import (
	"io"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// The aliases below are the names by which programs use the other packages of this directory.

// The cluster that a scenario runs against; see package target.
type (
	// Target is everything that a scenario can do to the cluster.
	Target = target.Target
	// LoadSpec is an open-model load.
	LoadSpec = target.LoadSpec
	// LoadReading is what a load has done since it started.
	LoadReading = target.LoadReading
	// FailurePeriod is a period in which the calls of a load failed.
	FailurePeriod = target.FailurePeriod
	// BreakerChange is one state change of one circuit breaker.
	BreakerChange = target.BreakerChange
	// Call is the call that each arrival of a load makes.
	Call = target.Call
	// Rate is in calls per second.
	Rate = target.Rate
)

// The rates that the load generator accepts.
const (
	MinRate = target.MinRate
	MaxRate = target.MaxRate
)

// The errors that an implementation of Target.Loads wraps if a load is not running, or if its name is taken.
var (
	ErrNoLoad    = target.ErrNoLoad
	ErrLoadTaken = target.ErrLoadTaken
)

// ParseRate reads a rate per second or per minute, such as "200/s" or "90/m".
func ParseRate(s string) (Rate, error) { return target.ParseRate(s) }

// Clock is the source of time of a run.
type Clock = clock.Clock

// A scenario file; see package spec.
type (
	// Scenario is a scenario file that was parsed.
	Scenario = spec.Scenario
	// Catalog has the names that a scenario may use.
	Catalog = spec.Catalog
	// CallError is a mistake in one field of a call.
	CallError = spec.CallError
	// FileError has every problem of a scenario file, in the order of the lines.
	FileError = grammar.FileError
	// Remedy is what corrects a mistake. Its Text is for people; without a Remedy it is empty.
	Remedy = remedy.Remedy
)

// Parse reads a scenario file strictly. Its error is a *FileError with every problem in it.
func Parse(file string, data []byte) (Scenario, error) { return spec.Parse(file, data) }

// Suggest returns a remedy for a misspelt word: the closest valid word, if one is close enough, and the list of all.
func Suggest(got string, valid []string) Remedy { return grammar.Suggest(got, valid) }

// Grammar returns every field, action, expectation and limit as Markdown.
func Grammar() string { return spec.Markdown() }

// WriteSchema writes a JSON Schema of scenario files, for editors.
func WriteSchema(w io.Writer) error { return spec.WriteSchema(w) }

// What a run reports; see package report.
type (
	// Report is what a run did and observed.
	Report = report.Report
	// Result is how a run ended.
	Result = report.Result
	// Leftover is a change that a killed run left behind.
	Leftover = report.Leftover
	// UndoReport is what undoing leftovers did.
	UndoReport = report.Undo
)

// The results of a run.
const (
	Pass    = report.Pass
	Fail    = report.Fail
	Aborted = report.Aborted
	Error   = report.Error
	Planned = report.Planned
	Skipped = report.Skipped
)

// WriteJUnitFile writes several reports as one JUnit file with a suite per report. It makes the folder if there is none.
func WriteJUnitFile(path string, reports []Report) error { return report.WriteJUnitFile(path, reports) }

// CheckReportFolder makes the folder for a report, if there is none, and checks that a file can be written into it.
func CheckReportFolder(dir string) error { return report.CheckFolder(dir) }

// TimelineLine formats an event for people who follow a run: one line, or more if it does not fit into 80 columns.
func TimelineLine(e telemetry.Event, started time.Time) string {
	return report.TimelineLine(e, started)
}
