package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/grpc-sandbox/sandbox/scenarios"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){"sandbox": main, "fake-run": fakeRun})
}

// leakless fails if the tests leak goroutines. goleak.VerifyTestMain would exit before testscript has cleaned up.
type leakless struct{ tests *testing.M }

func (l leakless) Run() int {
	if code := l.tests.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestScripts_RealProgramWithoutCluster runs the real program in temporary folders, without a cluster, an engine, root, a network or files of the user.
func TestScripts_RealProgramWithoutCluster(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "json": isJSON, "fifo": fifo, "read-fifo": readFIFO, "write-fifo": writeFIFO,
			"cluster": startCluster, "unchanged": unchanged, "interrupt-twice": interruptTwice,
		},
		Setup: func(e *testscript.Env) error {
			sandbox, err := findSandbox(e.Getenv("PATH"))
			if err != nil {
				return err
			}
			home := filepath.Join(e.WorkDir, "home")
			// Scripts put their fake engines here.
			bin := filepath.Join(e.WorkDir, "bin")
			e.Values[fakeClusterKey{}] = &fakeClusters{}
			e.Setenv("HOME", home)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+sandbox)
			for name, value := range scenarioVariables() {
				e.Setenv(name, value)
			}
			// Network requests fail immediately.
			for _, proxy := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
				e.Setenv(proxy, "http://127.0.0.1:1")
			}
			return os.MkdirAll(home, 0o755)
		},
	})
}

// scenarioVariables returns variables for scripts: the name of a built-in scenario, where any will do; all names; and patterns for the table and the
// completions of all.
func scenarioVariables() map[string]string {
	var names, completions []string
	table := ""
	for _, s := range scenarios.Builtin() {
		name, description := regexp.QuoteMeta(s.Name), regexp.QuoteMeta(s.Description)
		names = append(names, s.Name)
		completions = append(completions, name+"\t"+description+"\n")
		table += name + " +" + description + "\n"
	}
	return map[string]string{"SCENARIO": names[0], "SCENARIOS": strings.Join(names, ", "), "SCENARIO_ROWS": table,
		"SCENARIO_COMPLETIONS": "^" + strings.Join(completions, "")}
}

// findSandbox returns the folder in which testscript.Main put the program. It contains nothing else.
func findSandbox(path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if _, err := os.Stat(filepath.Join(dir, "sandbox")); err == nil {
			return dir, nil
		}
	}
	return "", os.ErrNotExist
}

// exits runs a program and checks its exit code: exits CODE PROGRAM [ARG…].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// isJSON checks that a file consists of one JSON object with the given fields: json FILE [FIELD…].
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: json FILE [FIELD…]")
	}
	var doc map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &doc))
	for _, field := range args[1:] {
		if _, ok := doc[field]; !ok {
			ts.Fatalf("%s has no field %s", args[0], field)
		}
	}
}

// fifo creates named pipes, through which a script and its programs wait for each other: fifo FILE….
func fifo(ts *testscript.TestScript, neg bool, files []string) {
	if neg || len(files) == 0 {
		ts.Fatalf("usage: fifo FILE…")
	}
	for _, f := range files {
		ts.Check(syscall.Mkfifo(ts.MkAbs(f), 0o600))
	}
}

// readFIFO waits for a line in a named pipe and stores it in a variable: read-fifo FILE VARIABLE.
func readFIFO(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: read-fifo FILE VARIABLE")
	}
	ts.Setenv(args[1], strings.TrimSpace(ts.ReadFile(args[0])))
}

// writeFIFO waits for a reader of a named pipe and lets it continue: write-fifo FILE.
func writeFIFO(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: write-fifo FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("go on\n"), 0o600))
}

// interruptTwice interrupts a program when it writes to the named pipe, and again when it prints that a second interrupt ends it: interrupt-twice
// FIFO PROGRAM [ARG…].
func interruptTwice(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt-twice FIFO PROGRAM [ARG…]")
	}
	dir, err := findSandbox(ts.Getenv("PATH"))
	ts.Check(err)
	cmd := exec.Command(filepath.Join(dir, args[1]), args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), []string{"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH")}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.ReadFile(args[0])
	ts.Check(cmd.Process.Signal(os.Interrupt))
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ctrl-C again") {
			ts.Check(cmd.Process.Signal(os.Interrupt))
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		ts.Fatalf("%s ended with %v, not because of the second interrupt", args[1], err)
	}
}
