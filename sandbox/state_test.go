package sandbox

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestState_ReadsWhatWasWritten(t *testing.T) {
	f := newFolders(t)
	if s, err := readState(f, "one"); err != nil || s != (state{}) {
		t.Errorf("without a file it is empty: %+v, %v", s, err)
	}
	for _, c := range []struct {
		sentence string
		state    state
	}{
		{"an incomplete cluster has no creation time", state{Engine: "podman"}},
		{"a complete cluster has a creation time", state{Engine: "docker", Created: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)}},
	} {
		if err := writeState(f, "one", c.state); err != nil {
			t.Fatal(err)
		}
		if got, err := readState(f, "one"); err != nil || got != c.state {
			t.Errorf("%s: got %+v, %v", c.sentence, got, err)
		}
		if got, err := EngineOf(f, "one"); err != nil || got != c.state.Engine {
			t.Errorf("%s, and an engine: got %q, %v", c.sentence, got, err)
		}
	}
	if other, err := readState(f, "two"); err != nil || other != (state{}) {
		t.Errorf("another sandbox has a state of its own: %+v, %v", other, err)
	}
	fixture.Write(t, filepath.Join(f.Config, "one", "state.json"), `{"engine":"pod`, 0o600)
	_, err := readState(f, "one")
	fixture.WantError(t, err, "reading the state of sandbox one", "\ntry: sandbox down")
}
