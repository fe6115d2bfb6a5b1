package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// The results of an expectation.
const (
	Met       = "pass"
	NotMet    = "fail"
	NotJudged = "skip"
)

// unknown is the observed value of an expectation about which nothing is known.
const unknown = "unknown"

// Finding is an expectation with what was observed. Its check sets Name, Comparison, Limit and Unit, and ends with [Finding.Judge] or
// [Finding.Unknown]; the run adds where and for how long it was checked.
type Finding struct {
	// Name is the text of the expectation, or the name that the file gives it.
	Name string `json:"name"`
	// Phase is steady, steps, measure, recover or verdict.
	Phase string `json:"phase"`
	// Step is the name of the step that waited for the expectation or measured it. It is absent outside of waitFor and measure.
	Step string `json:"step,omitempty"`
	// Observed is the observed value in Unit. It is "unknown" if nothing could be observed, and "not judged" if the run did not reach the expectation.
	Observed Value `json:"observed"`
	// Comparison is the required relation of Observed to Limit: >=, <=, = or visits.
	Comparison string `json:"comparison"`
	// Limit is the required value in Unit. Unit is % or ms, for example, and may be empty.
	Limit Value  `json:"limit"`
	Unit  string `json:"unit"`
	// Result is pass, fail or skip. skip means that the expectation was not judged.
	Result string `json:"result"`
	// Note says why nothing could be observed, or adds to what was observed.
	Note string `json:"note,omitempty"`
	// Seconds is how long the expectation was observed.
	Seconds float64 `json:"seconds"`

	// Since is the time since which it has been true, for a check over a sliding window. Zero means since before the window.
	Since time.Time `json:"-"`
}

// Met reports whether the expectation was met.
func (f Finding) Met() bool { return f.Result == Met }

// Judge returns f with its result.
func (f Finding) Judge(met bool) Finding {
	f.Result = NotMet
	if met {
		f.Result = Met
	}
	return f
}

// Unknown returns f as not met, because an expectation without data fails.
func (f Finding) Unknown(why string) Finding {
	f.Observed, f.Note = Value{Text: unknown}, why
	return f.Judge(false)
}

// IsUnknown reports whether nothing was known about the expectation.
func (f Finding) IsUnknown() bool { return f.Observed.Text == unknown }

// Skip returns f as an expectation that the run did not reach.
func (f Finding) Skip() Finding {
	f.Result, f.Note, f.Observed = NotJudged, "", Value{Text: "not judged"}
	return f
}

// AllMet reports whether every expectation was met.
func AllMet(findings []Finding) bool {
	return !slices.ContainsFunc(findings, func(f Finding) bool { return !f.Met() })
}

// ObservedText is the observed value with its unit, for people.
func (f Finding) ObservedText() string { return withUnit(f.Observed, f.Unit) }

var comparisons = map[string]string{">=": "≥ ", "<=": "≤ ", "=": "", "visits": "visits "}

// LimitText is the comparison and the limit with its unit, for people.
func (f Finding) LimitText() string { return comparisons[f.Comparison] + withUnit(f.Limit, f.Unit) }

// Value is a number or a text. In JSON it is the bare number or text.
type Value struct {
	// Number is the value if Text is empty.
	Number float64
	// Text is empty for a number.
	Text string
}

// MarshalJSON writes the bare number or text.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.Text != "" {
		return json.Marshal(v.Text)
	}
	return json.Marshal(text.Tidy(v.Number))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (v *Value) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &v.Text)
	}
	return json.Unmarshal(data, &v.Number)
}

// String returns the text, or the number if there is no text.
func (v Value) String() string {
	if v.Text != "" {
		return v.Text
	}
	return text.Decimal(v.Number)
}

// longTrace is how many states of a trace are shown; the JSON report has them all.
const longTrace = 8

func withUnit(v Value, unit string) string {
	if v.Text == "" {
		return strings.TrimSpace(v.String() + " " + unit)
	}
	states := strings.Split(v.Text, " → ")
	if len(states) <= longTrace {
		return v.Text
	}
	shown := slices.Concat(states[:longTrace/2], []string{fmt.Sprintf("… (%d more)", len(states)-longTrace)}, states[len(states)-longTrace/2:])
	return strings.Join(shown, " → ")
}
