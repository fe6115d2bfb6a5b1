package main

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/sandbox"
)

// named matches command lines of this program in remedies, documents and scripts: the words after `sandbox` that look like a command line.
var named = regexp.MustCompile("(?:try: |which runs: |`|^|\")sandbox((?: (?:[a-z-]+|[A-Z%/.][A-Za-z%/.\\[\\]|-]*))+)")

// commanded matches calls that render a command line from its arguments.
var commanded = regexp.MustCompile(`\b(?:g\.command|remedy\.Command)\(("[a-z -]+"(?:, "[a-z-]*[a-z]")*)`)

// TestCommands_NamedInTextsExist checks that commands and flags in remedies, documents and scripts exist.
func TestCommands_NamedInTextsExist(t *testing.T) {
	root := newRoot(process{stdout: io.Discard, stderr: io.Discard, getenv: func(string) string { return "" }})
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 || d.Name() == "recipes" || d.Name() == "services") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if ext := filepath.Ext(path); d.IsDir() || ext != ".go" && ext != ".md" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			for _, m := range commanded.FindAllStringSubmatch(line, -1) {
				seen++
				checkNamed(t, root, path, strings.Fields(strings.NewReplacer(`"`, "", ",", "").Replace(m[1])))
			}
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if words := strings.Fields(m[1]); words[0] == sandbox.DefaultName || words[0] == "overhead" || strings.HasPrefix(words[0], "%") {
					// This is text about a sandbox or its overhead.
					continue
				}
				seen++
				checkNamed(t, root, path, strings.Fields(m[1]))
			}
		}
		return nil
	})
	if err != nil || seen < 50 {
		t.Errorf("%d commands are named, %v", seen, err)
	}
}

func checkNamed(t *testing.T, root *cobra.Command, path string, words []string) {
	t.Helper()
	cmd, rest, err := root.Find(words)
	if err != nil || cmd == root {
		t.Errorf("%s names `sandbox %s`: there is no such command", path, strings.Join(words, " "))
		return
	}
	for _, w := range rest {
		flag, ok := strings.CutPrefix(w, "--")
		if ok && cmd.Flags().Lookup(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil && flag != "help" {
			t.Errorf("%s names `sandbox %s`: %s has no flag --%s", path, strings.Join(words, " "), cmd.CommandPath(), flag)
		}
	}
}
