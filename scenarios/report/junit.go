package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/scenarios/internal/text"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`

	seconds float64
}

type junitSuite struct {
	XMLName   xml.Name    `xml:"testsuite"`
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a test case for every expectation, skipped if it was not judged, and one with an error for a run without
// a verdict.
func (r Report) WriteJUnit(w io.Writer) error { return encodeXML(w, r.junit()) }

// WriteJUnit writes several reports as one JUnit document with a suite per report.
func WriteJUnit(w io.Writer, reports []Report) error {
	all := junitSuites{}
	seen := map[string]int{}
	for _, r := range reports {
		s := r.junit()
		// The same scenario may run twice.
		if seen[s.Name]++; seen[s.Name] > 1 {
			again := fmt.Sprintf("%s (%d)", s.Name, seen[s.Name])
			for i, c := range s.Cases {
				s.Cases[i].Class = again + strings.TrimPrefix(c.Class, s.Name)
			}
			s.Name = again
		}
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors, all.Skipped+s.Skipped
		all.seconds += r.Seconds
		all.Suites = append(all.Suites, s)
	}
	all.Time = junitTime(all.seconds)
	return encodeXML(w, all)
}

func (r Report) junit() junitSuite {
	s := junitSuite{Name: text.Printable(r.Scenario), Time: junitTime(r.Seconds), Timestamp: r.StartedAt.UTC().Format(time.RFC3339)}
	seen := map[string]int{}
	for _, f := range r.Expectations {
		c := junitCase{Class: text.Printable(r.Scenario + "." + f.Phase), Name: text.Printable(f.caseName()), Time: junitTime(f.Seconds)}
		// Readers merge two cases that have the same name.
		if seen[c.Class+c.Name]++; seen[c.Class+c.Name] > 1 {
			c.Name = fmt.Sprintf("%s (%d)", c.Name, seen[c.Class+c.Name])
		}
		switch f.Result {
		case Met:
		case NotJudged:
			c.Skipped = &junitMessage{Message: "the run did not come to it"}
			s.Skipped++
		default:
			c.Failure = &junitMessage{text.Printable(fmt.Sprintf("observed %s, wanted %s", f.ObservedText(), f.LimitText())), text.Printable(f.Note)}
			s.Failures++
		}
		s.Cases = append(s.Cases, c)
	}
	if r.Result == Aborted || r.Result == Error {
		s.Cases = append(s.Cases, junitCase{
			Class: text.Printable(r.Scenario), Name: "run", Time: junitTime(r.Seconds), Error: &junitMessage{Message: text.Printable(r.Message)},
		})
		s.Errors++
	}
	s.Tests = len(s.Cases)
	return s
}

// caseName identifies an expectation within its phase by its step and its limit.
func (f Finding) caseName() string {
	name := f.Name + " " + f.LimitText()
	if f.Step != "" {
		name = f.Step + ": " + name
	}
	return name
}

func junitTime(seconds float64) string { return fmt.Sprintf("%.3f", seconds) }

func encodeXML(w io.Writer, document any) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(document); err != nil {
		return fmt.Errorf("writing the JUnit report: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
