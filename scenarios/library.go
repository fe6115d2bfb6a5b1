package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
)

//go:embed library/*.yaml
var library embed.FS

// UnknownError is a name that is neither a file nor a built-in scenario.
type UnknownError struct{ Name, Remedy string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("finding scenario %q: no file and no built-in scenario has this name", e.Name)
}

// Hint is the remedy.
func (e *UnknownError) Hint() string { return e.Remedy }

// Builtin returns the scenarios that come with the program, by name.
func Builtin() []Scenario {
	files, _ := fs.Glob(library, "library/*.yaml") // the pattern is a constant, and sound
	var out []Scenario
	for _, file := range files {
		sc, err := builtin(file)
		if err != nil {
			panic("a built-in scenario is wrong, which its test would have shown: " + err.Error())
		}
		out = append(out, sc)
	}
	return out
}

func builtin(file string) (Scenario, error) {
	data, err := library.ReadFile(file)
	if err != nil {
		return Scenario{}, err
	}
	return spec.Parse(path.Base(file), data)
}

// Load reads a scenario by its path, or by the name of a built-in one. What looks like a path (it has a slash, or ends in .yaml, .yml
// or .json) is only looked for on disk.
func Load(nameOrPath string) (Scenario, error) {
	if !strings.ContainsAny(nameOrPath, `/\`) && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(nameOrPath)) {
		var names []string
		for _, sc := range Builtin() {
			if sc.Name == nameOrPath {
				return sc, nil
			}
			names = append(names, sc.Name)
		}
		return Scenario{}, &UnknownError{nameOrPath, grammar.Suggest(nameOrPath, names)}
	}
	data, err := os.ReadFile(nameOrPath)
	if errors.Is(err, fs.ErrNotExist) {
		return Scenario{}, &UnknownError{nameOrPath, "check the path, or use a built-in one: sandbox scenarios"}
	}
	if err != nil {
		return Scenario{}, &HintError{fmt.Errorf("reading the scenario: %w", err), "sandbox run with a file that can be read, such as one that `sandbox scenarios show pod-kill` printed"}
	}
	return spec.Parse(nameOrPath, data)
}
