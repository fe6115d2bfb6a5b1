package scenarios

import "encoding/json"

// Expectation is something that must hold; check is pure in the evidence.
type Expectation interface {
	String() string
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

// Evidence is what was observed, over the window that the asker chose.
type evidence struct {
	loads  map[string]LoadReading
	trails []trail
	ready  func(release string) (int, error)
}

// Finding is an expectation beside what was observed.
type Finding struct {
	Name       string `json:"name"`
	Phase      string `json:"phase"` // steady, steps, recover, verdict
	Observed   Value  `json:"observed"`
	Comparison string `json:"comparison"` // how observed must stand to limit: >=, <=, =, visits
	Limit      Value  `json:"limit"`
	Unit       string `json:"unit"`
	Result     string `json:"result"`         // pass, fail
	Note       string `json:"note,omitempty"` // why nothing could be observed, or what to know about it
}

// Held says whether the expectation was met.
func (f Finding) Held() bool { return f.Result == "pass" }

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
	return json.Marshal(tidy(v.Number))
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
	return decimal(v.Number)
}

// held and unknown are the two ways in which a check ends.
func (f Finding) held(yes bool) Finding {
	f.Result = "fail"
	if yes {
		f.Result = "pass"
	}
	return f
}

// unknown fails the expectation: what was not observed did not hold.
func (f Finding) unknown(why string) Finding {
	f.Observed, f.Note = Value{Text: "unknown"}, why
	return f.held(false)
}
