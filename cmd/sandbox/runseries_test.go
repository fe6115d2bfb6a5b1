package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/scenarios"
)

func fakeNamed(t *testing.T, edits ...string) scenarios.Scenario {
	t.Helper()
	sc, err := scenarios.Parse("fake.yaml", []byte(strings.NewReplacer(edits...).Replace(fakeScenario)))
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func TestSeries_OneJUnitFileAndTheWorstCode(t *testing.T) {
	good := fakeNamed(t)
	bad := fakeNamed(t, "name: fake", "name: bad", "{for: 1s}", "{for: 1s}, waitFor: {ready: {release: userservice, replicas: 1}, within: 1s, hold: 0s}",
		"replicas: 0}}", "replicas: 1}}", "expect: [{availability: {of: browse, atLeast: 99%}}]\n", "expect: [{latency: {of: browse, quantile: 0.5, atMost: 1ms}}]\n")
	failedChecks := fakeNamed(t, "name: fake", "name: unfit", "scale: {release: userservice, replicas: 0}", "killPod: {release: userservice, count: 9}")
	for name, c := range map[string]struct {
		scenarios []scenarios.Scenario
		code      int
		// The results of the runs.
		results []string
		// The numbers of tests, failures, errors and skipped tests in the JUnit file.
		cases [4]int
	}{
		"all pass":                                  {[]scenarios.Scenario{good, good}, exitDone, []string{"pass", "pass"}, [4]int{4, 0, 0, 0}},
		"one fails, and the next one runs":          {[]scenarios.Scenario{bad, good}, exitNotHeld, []string{"fail", "pass"}, [4]int{5, 1, 0, 0}},
		"an unsuitable environment ends the series": {[]scenarios.Scenario{good, failedChecks, good}, exitEnvironment, []string{"pass", "error"}, [4]int{7, 0, 1, 4}},
		"the worst code is kept, not the last one":  {[]scenarios.Scenario{bad, failedChecks}, exitEnvironment, []string{"fail", "error"}, [4]int{6, 1, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "replicas"), []byte("3"), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				var out, errs bytes.Buffer
				fake := &fakeTarget{file: filepath.Join(dir, "replicas"), started: map[string]time.Time{}}
				s := series{scenarios: c.scenarios, job: job{
					proc: process{stdout: &out, stderr: &errs}, g: &globals{name: "sandbox"}, asJSON: true, target: fake.target(),
					flags: runFlags{report: filepath.Join(dir, "reports")}, folders: sandbox.Folders{Config: filepath.Join(dir, "config")},
				}}
				if err := os.MkdirAll(s.folders.Journal("sandbox"), 0o700); err != nil {
					t.Fatal(err)
				}
				err := s.conductAll(t.Context())
				var coded *codedError
				if code := exitDone; errors.As(err, &coded) && coded.code != c.code || coded == nil && c.code != code {
					t.Errorf("ended with %v, want code %d\n%s", err, c.code, &errs)
				}
				checkSeries(t, dir, out.Bytes(), c.results, c.cases)
			})
		})
	}
}

func checkSeries(t *testing.T, dir string, out []byte, results []string, cases [4]int) {
	t.Helper()
	var document struct{ Runs []struct{ Result string } }
	if err := json.Unmarshal(out, &document); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got []string
	for _, r := range document.Runs {
		got = append(got, r.Result)
	}
	if strings.Join(got, " ") != strings.Join(results, " ") {
		t.Errorf("runs %v, want %v", got, results)
	}
	data, err := os.ReadFile(filepath.Join(dir, "reports", "junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Cases []struct {
				Class string `xml:"classname,attr"`
				Name  string `xml:"name,attr"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(data, &suites); err != nil {
		t.Fatal(err)
	}
	if found := [4]int{suites.Tests, suites.Failures, suites.Errors, suites.Skipped}; found != cases {
		t.Errorf("tests, failures, errors and skipped are %v, want %v\n%s", found, cases, data)
	}
	seen := map[string]bool{}
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			if seen[c.Class+c.Name] {
				t.Errorf("two cases are %s %s", c.Class, c.Name)
			}
			seen[c.Class+c.Name] = true
		}
	}
	folders, err := filepath.Glob(filepath.Join(dir, "reports", "*", "report.json"))
	if err != nil || len(folders) != len(results) {
		t.Errorf("reports %v, %v; want one for each of %d runs", folders, err, len(results))
	}
}

func TestSeries_InterruptEndsIt(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "replicas"), []byte("3"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(700*time.Millisecond, interrupt)
		var out bytes.Buffer
		fake := &fakeTarget{file: filepath.Join(dir, "replicas"), started: map[string]time.Time{}}
		s := series{scenarios: []scenarios.Scenario{fakeNamed(t), fakeNamed(t)}, job: job{
			proc: process{stdout: &out, stderr: &bytes.Buffer{}}, g: &globals{name: "sandbox"}, target: fake.target(), folders: sandbox.Folders{Config: dir, State: dir},
		}}
		if err := os.MkdirAll(s.folders.Journal("sandbox"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := s.conductAll(ctx)
		var coded *codedError
		if !errors.As(err, &coded) || coded.code != exitInterrupted || len(s.reports) != 1 {
			t.Errorf("ended with %v after %d runs", err, len(s.reports))
		}
		if !strings.HasSuffix(out.String(), "\n2 scenarios\n  ERROR    fake\n  SKIPPED  fake\n") {
			t.Errorf("got\n%s", &out)
		}
	})
}
