package scenarios

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad_FindsFilesAndBuiltinScenarios(t *testing.T) {
	var names []string
	for _, builtin := range Builtin() {
		names = append(names, builtin.Name)
		if sc, err := Load(builtin.Name); err != nil || sc.Name != builtin.Name {
			t.Errorf("%s: got %q, %v", builtin.Name, sc.Name, err)
		}
		path := "library/" + builtin.File
		if sc, err := Load(path); err != nil || sc.File != path || sc.Name != builtin.Name {
			t.Errorf("%s: got %q, %v", path, sc.File, err)
		}
	}
	known := strings.Join(names, ", ")
	for name, want := range map[string]string{
		names[0][1:]:  names[0] + "; valid here: " + known,
		"nonsense":    "one of " + known,
		"absent.yaml": "check the path, or use a built-in one: sandbox scenarios",
	} {
		_, err := Load(name)
		if !errors.Is(err, ErrUnknown) || remedies(err) != want || ExitCode(Error, err) != exitBadFile {
			t.Errorf("%s: %v; remedies %q, want %q", name, err, remedies(err), want)
		}
	}
	if _, err := Load("library/"); errors.Is(err, ErrUnknown) || remedies(err) == "" {
		t.Errorf("a directory: %v; remedies %q", err, remedies(err))
	}
}

func TestLoad_BackgroundIsReserved(t *testing.T) {
	_, err := Load(filepath.Join("testdata", "cases", "takes-the-background.yaml"))
	var file *FileError
	if !errors.As(err, &file) || ExitCode(Error, err) != 2 || len(file.Problems) != 1 || file.Problems[0].Line != 8 {
		t.Errorf("got %v", err)
	}
}

func TestLoad_EndlessFile(t *testing.T) {
	_, err := Load("/dev/zero")
	var file *FileError
	if !errors.As(err, &file) || !strings.Contains(err.Error(), "/dev/zero:1: the file is larger than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}
