package report

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
)

func TestWriteJUnit_NamesAreUniqueAndSkippedCasesCounted(t *testing.T) {
	open := Finding{Name: "breaker state loadgen → userservice", Phase: "steps", Observed: Value{Text: "open"}, Limit: Value{Text: "open"}, Comparison: "=", Unit: "state", Result: Met}
	other, skipped, strange := open, open, open
	other.Step, skipped.Result, strange.Name = "another", NotJudged, "x \x01\x1b[31m"
	r := Report{Scenario: "s", Result: Error, Message: "a\x00b\x1b[31m ]]> & <", Seconds: 3725.5, Expectations: []Finding{open, open, other, skipped, strange}}
	var b bytes.Buffer
	if err := r.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Skipped int `xml:"skipped,attr"`
		Cases   []struct {
			Class   string    `xml:"classname,attr"`
			Name    string    `xml:"name,attr"`
			Time    string    `xml:"time,attr"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatalf("%v\n%s", err, &b)
	}
	seen := map[string]bool{}
	skips := 0
	for _, c := range suite.Cases {
		if id := c.Class + " " + c.Name; seen[id] || c.Time == "" {
			t.Errorf("%s is there twice, or has no time: %q", id, c.Time)
		} else {
			seen[id] = true
		}
		if c.Skipped != nil {
			skips++
		}
	}
	if len(suite.Cases) != 6 || skips != 1 || suite.Skipped != 1 || strings.ContainsAny(b.String(), "\x1b\x01") {
		t.Errorf("%d cases, %d skipped\n%s", len(suite.Cases), skips, &b)
	}
}
