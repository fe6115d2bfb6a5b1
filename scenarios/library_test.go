package scenarios

import (
	"errors"
	"testing"
)

func TestLoadFindsFilesAndBuiltinScenarios(t *testing.T) {
	if sc, err := Load("pod-kill"); err != nil || sc.Name != "pod-kill" {
		t.Error(err)
	}
	if sc, err := Load("library/pod-kill.yaml"); err != nil || sc.File != "library/pod-kill.yaml" {
		t.Error(err)
	}
	for name, remedy := range map[string]string{
		"podkill":     `did you mean "pod-kill"? valid here: breaker-trip, load-burst, pod-kill`,
		"nonsense":    "valid here: breaker-trip, load-burst, pod-kill",
		"absent.yaml": "check the path, or use a built-in one: sandbox scenarios",
	} {
		_, err := Load(name)
		var unknown *UnknownError
		if !errors.As(err, &unknown) || unknown.Remedy != remedy || ExitCode(Error, err) != exitBadFile {
			t.Errorf("%s: %v", name, err)
		}
	}
}
