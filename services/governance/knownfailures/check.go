package knownfailures

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var (
	child   = flag.Bool("knownfailures.child", false, "run the listed tests themselves (set by Check for its child processes)")
	slow    = flag.Bool("knownfailures.slow", false, "check the slow rows of the table too")
	measure = flag.Bool("knownfailures.measure", false, "run the tests that print figures without a verdict")
)

// Listed starts a test that is in the table: it is skipped, except in a child process of Check, and with -knownfailures.child.
func Listed(t *testing.T) {
	t.Helper()
	for _, f := range Table {
		if f.Test == t.Name() {
			if !*child {
				t.Skip("known failure:", f.Defect)
			}
			return
		}
	}
	t.Error("this test is not in the table of known failures: remove its call of knownfailures.Listed")
}

// Measure starts a test that prints figures and has no verdict: it is skipped without -knownfailures.measure.
func Measure(t *testing.T) {
	t.Helper()
	if !*measure {
		t.Skip("prints figures; run it with -knownfailures.measure -v")
	}
}

// Check runs the listed tests of a package, each in a child process, and fails when one passes or does not exist.
func Check(t *testing.T, pkg string) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Table {
		if f.Package != pkg {
			continue
		}
		t.Run(f.Test, func(t *testing.T) {
			if f.Race && !race || f.Slow && !*slow {
				t.Skip("not in this run:", f.Defect)
			}
			t.Parallel()
			if complaint := judge(func() string { return runChild(t.Context(), binary, f.Test) }, f.Test); complaint != "" {
				t.Error(complaint)
			}
		})
	}
}

// judge asks a test for its output until it has failed once, or has passed three times: some defects depend on timing.
func judge(output func() string, test string) (complaint string) {
	for range 3 {
		said := output()
		switch {
		case strings.Contains(said, "--- FAIL: "+test+" "):
			return ""
		case !strings.Contains(said, "--- PASS: "+test+" "):
			return "the test neither passed nor failed; does it exist?\n" + said
		}
	}
	return "the test passes: remove its row from the table and its call of knownfailures.Listed, and lower the pinned size"
}

func runChild(ctx context.Context, binary, test string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "-test.run=^"+test+"$", "-test.v", "-test.count=1", "-test.timeout=1m", "-knownfailures.child") //nolint:gosec // this binary
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second
	_ = cmd.Run() // the output says more than the exit code
	return output.String()
}
