package scenarios

import (
	"encoding/json"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

// Expectation is something that must hold; check is pure in the evidence.
type Expectation interface {
	String() string
	// window is how long it must hold in waitFor and recover, unless the file says otherwise.
	window() time.Duration
	check(e evidence) Finding
}

// ExpectationKind is an entry of the catalog of expectations.
type ExpectationKind struct {
	Name   string
	Doc    string
	Fields []Field
	decode func(object) Expectation
}

// Expectations lists everything a scenario can expect.
func Expectations() []ExpectationKind {
	return []ExpectationKind{availabilityKind(), latencyKind(), sentKind(), breakerKind(), readyKind()}
}

// The results of an expectation.
const (
	held      = "pass"
	notHeld   = "fail"
	notJudged = "skip"
)

// Finding is an expectation with what was observed.
type Finding struct {
	Name       string  `json:"name"`
	Phase      string  `json:"phase"`          // steady, steps, recover, verdict
	Step       string  `json:"step,omitempty"` // of which it is the condition
	Observed   Value   `json:"observed"`
	Comparison string  `json:"comparison"` // how observed must stand to limit: >=, <=, =, visits
	Limit      Value   `json:"limit"`
	Unit       string  `json:"unit"`
	Result     string  `json:"result"`         // pass, fail, skip (not judged)
	Note       string  `json:"note,omitempty"` // why nothing could be observed, or what to know about it
	Seconds    float64 `json:"seconds"`        // how long it was observed

	since time.Time // in a sliding window: since when it has held; zero: since before the window
}

// Held says whether the expectation was met.
func (f Finding) Held() bool { return f.Result == held }

// Value is a number or a text; in JSON it is the one or the other.
type Value struct {
	Number float64
	Text   string // empty for a number
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

func (v Value) String() string {
	if v.Text != "" {
		return v.Text
	}
	return text.Decimal(v.Number)
}

// held and unknown are the two ways in which a check ends.
func (f Finding) held(yes bool) Finding {
	f.Result = notHeld
	if yes {
		f.Result = held
	}
	return f
}

// unknown fails the expectation: what was not observed does not satisfy it.
func (f Finding) unknown(why string) Finding {
	f.Observed, f.Note = Value{Text: "unknown"}, why
	return f.held(false)
}

func check(phase string, expectations []Expectation, e evidence) []Finding {
	out := make([]Finding, len(expectations))
	for i, x := range expectations {
		out[i] = x.check(e)
		out[i].Phase = phase
	}
	return out
}

func allHeld(findings []Finding) bool {
	for _, f := range findings {
		if !f.Held() {
			return false
		}
	}
	return true
}

// unjudged is an expectation to which the run did not come.
func unjudged(phase, step string, x Expectation) Finding {
	f := x.check(nothing)
	f.Phase, f.Step, f.Result, f.Note, f.Observed = phase, step, notJudged, "", Value{Text: "not judged"}
	return f
}
