package images

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// contents describes one of our own images. It replaces the program's path by "the program": an exec-form ENTRYPOINT cannot use an argument, so the
// Dockerfile has one path for all programs.
type contents struct {
	// Go is the version of Go, major and minor.
	Go string
	// Sources lists what is copied from the source tree.
	Sources []string
	// Build contains the arguments of go.
	Build []string
	// Env contains the variables of go in addition to those of the process.
	Env []string
	// Files maps each path to its octal mode, followed by the source path for files that are copied from the machine.
	Files  map[string]string
	Config v1.Config
}

const theProgram = "the program"

// dockerfile interprets our Dockerfile. It knows only the instructions and commands that the file uses, and fails at any other.
type dockerfile struct {
	arguments map[string]string
	stage     string
	out       contents
	// built has the files of the build stage, as in contents.Files.
	built map[string]string
	// program is the path of the program in the build stage.
	program string
}

func readDockerfile(text string, arguments map[string]string) (contents, error) {
	d := &dockerfile{arguments: maps.Clone(arguments), built: map[string]string{}, out: contents{Files: map[string]string{}}}
	for _, line := range instructions(text) {
		word, rest, _ := strings.Cut(line, " ")
		if err := d.instruction(word, strings.TrimSpace(rest)); err != nil {
			return contents{}, fmt.Errorf("%s: %w", line, err)
		}
	}
	return d.out, nil
}

// instructions returns the lines without comments. A line that ends in a backslash is joined with the next.
func instructions(text string) (all []string) {
	joined := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if before, more := strings.CutSuffix(line, "\\"); more {
			joined += before
			continue
		}
		all, joined = append(all, joined+line), ""
	}
	return all
}

// words splits a text as a shell does, with double quotes only, and expands arguments.
func (d *dockerfile) words(text string) []string {
	var all []string
	for i, part := range strings.Split(os.Expand(text, func(name string) string { return d.arguments[name] }), `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

func (d *dockerfile) instruction(word, rest string) error {
	args := d.words(rest)
	final := d.stage == "scratch"
	switch {
	case word == "ARG":
		if name, value, set := strings.Cut(args[0], "="); set {
			d.arguments[name] = value
		}
	case word == "FROM":
		d.stage = args[0]
		if image, version, _ := strings.Cut(args[0], ":"); image == "golang" {
			d.out.Go = version
		} else if args[0] != "scratch" {
			return errors.New("is no base of ours")
		}
	case word == "COPY":
		return d.copy(args)
	case word == "RUN" && !final && strings.HasPrefix(rest, "test -n "):
	case word == "RUN" && !final:
		for command := range strings.SplitSeq(rest, "&&") {
			if err := d.command(d.words(command)); err != nil {
				return err
			}
		}
	case word == "WORKDIR" && !final:
	case word == "WORKDIR":
		d.out.Config.WorkingDir = rest
	case word == "ENV" && final:
		d.out.Config.Env = append(d.out.Config.Env, args...)
	case word == "USER" && final:
		d.out.Config.User = rest
	case word == "EXPOSE" && final:
		d.out.Config.ExposedPorts = map[string]struct{}{}
		for _, port := range args {
			d.out.Config.ExposedPorts[port+"/tcp"] = struct{}{}
		}
	case word == "ENTRYPOINT" && final:
		if err := json.Unmarshal([]byte(rest), &d.out.Config.Entrypoint); err != nil {
			return err
		}
		d.out.Config.Entrypoint = pathless(d.out.Config.Entrypoint, "/"+path.Base(d.program))
	default:
		return errors.New("is not understood here")
	}
	return nil
}

func (d *dockerfile) copy(args []string) error {
	from, fromStage := strings.CutPrefix(args[0], "--from=")
	to := args[len(args)-1]
	switch {
	case !fromStage && d.stage != "scratch":
		for _, source := range args[:len(args)-1] {
			if to != "./" && to != source {
				return errors.New("puts a source elsewhere")
			}
			d.out.Sources = append(d.out.Sources, source)
		}
		return nil
	case fromStage && from == "build" && d.stage == "scratch" && len(args) == 3 && strings.HasSuffix(args[1], "/"):
		for file, what := range d.built {
			if inside, is := strings.CutPrefix(file, args[1]); is {
				if file == d.program {
					inside = theProgram
				} else {
					inside = path.Join(to, inside)
				}
				d.out.Files[inside] = what
			}
		}
		return nil
	}
	return errors.New("is not understood here")
}

func (d *dockerfile) command(args []string) error {
	var env []string
	for len(args) > 0 && strings.Contains(args[0], "=") {
		env, args = append(env, args[0]), args[1:]
	}
	line := strings.Join(args, " ")
	var mode, from, to string
	switch {
	case line == "go mod download" && len(env) == 0:
		return nil
	case len(args) > 2 && args[0] == "go" && args[1] == "build":
		at := slices.Index(args, "-o")
		if at < 0 {
			return errors.New("builds nowhere")
		}
		slices.Sort(env)
		d.program, d.out.Env, d.out.Build = args[at+1], env, pathless(args[1:], args[at+1])
		d.built[d.program] = "755"
		return nil
	case len(env) > 0:
	case scan(line, "mkdir -m %s %s", &mode, &to):
		d.built[to] = mode
		return nil
	case scan(line, "install -D -m %s %s %s", &mode, &from, &to):
		d.built[to] = mode + " " + from
		return nil
	}
	return errors.New("is not understood here")
}

func scan(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return n == len(into) && err == nil && strings.Count(line, " ") == strings.Count(format, " ")
}

// pathless replaces the program's path by "the program".
func pathless(words []string, program string) []string {
	all := slices.Clone(words)
	for i := range all {
		if all[i] == program {
			all[i] = theProgram
		}
	}
	return all
}
