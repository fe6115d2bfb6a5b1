package scenarios

import (
	"io"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// The cluster that a scenario runs against; see package target.
type (
	Target        = target.Target
	Loads         = target.Loads
	Workloads     = target.Workloads
	Breakers      = target.Breakers
	BreakerChange = target.BreakerChange
	LoadSpec      = target.LoadSpec
	LoadReading   = target.LoadReading
	FailurePeriod = target.FailurePeriod
	Call          = target.Call
	Rate          = target.Rate
	Share         = target.Share
)

// The rates that the load generator accepts.
const (
	MinRate = target.MinRate
	MaxRate = target.MaxRate
)

// The errors by which Loads says that a name is free or taken.
var (
	ErrNoLoad    = target.ErrNoLoad
	ErrLoadTaken = target.ErrLoadTaken
)

// Clock is the source of time of a run.
type Clock = clock.Clock

// ParseRate reads a rate per second or per minute, such as "200/s" or "90/m".
func ParseRate(s string) (Rate, error) { return target.ParseRate(s) }

// What a run reports; see package report.
type (
	Report     = report.Report
	Result     = report.Result
	Leftover   = report.Leftover
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

// WriteJUnit writes several reports as one JUnit document with a suite per report.
func WriteJUnit(w io.Writer, reports []Report) error { return report.WriteJUnit(w, reports) }

// TimelineLine formats an event for people who follow a run: one line, or more if it does not fit into 80 columns.
func TimelineLine(e telemetry.Event, started time.Time) string {
	return report.TimelineLine(e, started)
}

// FileError has every problem of a scenario file, in the order of the lines; see package grammar.
type FileError = grammar.FileError

// Suggest returns a remedy for a misspelt word: the closest valid word, if one is close enough, and the list of all.
func Suggest(got string, valid []string) string { return grammar.Suggest(got, valid) }

// A scenario file; see package spec.
type (
	Scenario  = spec.Scenario
	Catalog   = spec.Catalog
	CallError = spec.CallError
)

// Parse reads a scenario file strictly. Its error is a *FileError with every problem in it.
func Parse(file string, data []byte) (Scenario, error) { return spec.Parse(file, data) }

// Grammar returns every field, action, expectation and limit as Markdown.
func Grammar() string { return spec.Markdown() }

// WriteSchema writes a JSON Schema of scenario files, for editors.
func WriteSchema(w io.Writer) error { return spec.WriteSchema(w) }
