package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sandbox": main})
}

// TestScripts runs the real program in folders of its own: no cluster, engine, root or network, and none of the user's files.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "cluster": startCluster, "unchanged": unchanged,
		},
		Setup: func(e *testscript.Env) error {
			sandbox, err := findSandbox(e.Getenv("PATH"))
			if err != nil {
				return err
			}
			home := filepath.Join(e.WorkDir, "home")
			bin := filepath.Join(e.WorkDir, "bin") // a script puts its engines here
			e.Values[fakeClusterKey{}] = &fakeClusters{}
			e.Setenv("HOME", home)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+sandbox)
			// Whatever asks the network hears at once that there is none.
			for _, proxy := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
				e.Setenv(proxy, "http://127.0.0.1:1")
			}
			return os.MkdirAll(home, 0o755)
		},
	})
}

// findSandbox is the folder that testscript.Main put the program into, which holds nothing else.
func findSandbox(path string) (string, error) {
	for _, dir := range filepath.SplitList(path) {
		if _, err := os.Stat(filepath.Join(dir, "sandbox")); err == nil {
			return dir, nil
		}
	}
	return "", os.ErrNotExist
}

// exits runs a program that must end with an exit code: exits CODE PROGRAM [ARG…].
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
