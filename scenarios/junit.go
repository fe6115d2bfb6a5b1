package scenarios

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a test case for every expectation, and one for a run that had no verdict.
func (r Report) WriteJUnit(w io.Writer) error {
	s := junitSuite{
		Name: r.Scenario, Time: fmt.Sprintf("%.3f", r.Seconds), Timestamp: r.StartedAt.UTC().Format(time.RFC3339),
	}
	for _, f := range r.Expectations {
		c := junitCase{Class: r.Scenario + "." + f.Phase, Name: f.Name}
		if !f.Held() {
			c.Failure = &junitMessage{fmt.Sprintf("observed %s, wanted %s", f.observed(), f.limit()), f.Note}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	if r.Result == Aborted || r.Result == Error {
		s.Cases = append(s.Cases, junitCase{Class: r.Scenario, Name: "run", Error: &junitMessage{Message: r.Message}})
		s.Errors++
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(s); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
