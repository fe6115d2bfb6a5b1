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

// Listed marks a test as known to fail. It skips the test, except in a child process of Check or with the flag -knownfailures.child.
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

// Measure marks a test that prints figures and cannot fail. It skips the test without the flag -knownfailures.measure.
func Measure(t *testing.T) {
	t.Helper()
	if !*measure {
		t.Skip("prints figures; run it with -knownfailures.measure -v")
	}
}

// Check runs the listed tests of a package, each in a child process. It fails if one of them passes or does not exist.
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

// judge runs a test until it has failed once or passed three times, because some defects depend on timing. It returns what is wrong with the
// row, or nothing.
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
	cmd := exec.CommandContext(ctx, binary, "-test.run=^"+test+"$", "-test.v", "-test.count=1", "-test.timeout=1m", "-knownfailures.child") //nolint:gosec // the test binary itself
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = time.Second
	// The output has more information than the exit code.
	_ = cmd.Run()
	return output.String()
}
