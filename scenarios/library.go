package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
)

//go:embed library/*.yaml
var library embed.FS

// ErrUnknown means that a name is neither a file nor a built-in scenario.
var ErrUnknown = errors.New("no file and no built-in scenario has this name")

// Builtin returns the scenarios that come with the program, in the order of their names.
func Builtin() []Scenario {
	// The only possible error is a malformed pattern.
	files, _ := fs.Glob(library, "library/*.yaml")
	var out []Scenario
	for _, file := range files {
		sc, err := builtin(file)
		if err != nil {
			panic("parsing a built-in scenario: " + err.Error())
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

// Load reads a scenario by its path or by the name of a built-in one. A name with a slash, or with the extension .yaml, .yml or .json, is a path; any
// other name is a built-in scenario before it is a file.
//
// If there is no such file or scenario, the error is [ErrUnknown]. If the file is wrong, it is a [*FileError].
func Load(nameOrPath string) (Scenario, error) {
	info, noFile := os.Stat(nameOrPath)
	if !strings.ContainsAny(nameOrPath, `/\`) && !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(nameOrPath)) {
		var names []string
		for _, sc := range Builtin() {
			if sc.Name == nameOrPath {
				return sc, nil
			}
			names = append(names, sc.Name)
		}
		if noFile != nil {
			return Scenario{}, unknown(nameOrPath, grammar.Suggest(nameOrPath, names))
		}
	}
	if errors.Is(noFile, fs.ErrNotExist) {
		return Scenario{}, unknown(nameOrPath, remedy.Advicef("check the path, or use a built-in one: %s", remedy.Command("scenarios")))
	}
	if noFile == nil && info.IsDir() {
		return Scenario{}, remedy.Errorf(remedy.Advice("name the files in it: "+remedy.Quote(filepath.Clean(nameOrPath))+"/*.yaml"),
			"reading the scenario: %s is a directory", nameOrPath)
	}
	data, err := readFile(nameOrPath)
	if err != nil {
		return Scenario{}, remedy.Wrap(fmt.Errorf("reading the scenario: %w", err),
			remedy.Advicef("use a file that can be read, such as one that `%s` printed", remedy.Command("scenarios", "show", "NAME")))
	}
	return spec.Parse(nameOrPath, data)
}

// readFile reads a file up to the size that the grammar refuses, because a device such as /dev/zero has no end.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, grammar.MaxFile+1))
}

func unknown(name string, fix remedy.Remedy) error {
	return remedy.Wrap(fmt.Errorf("finding scenario %q: %w", name, ErrUnknown), fix)
}
