package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// state is what a sandbox remembers between commands. It is written before the world is changed, so that a command that was
// killed leaves a trace of what it was doing.
type state struct {
	ID      string    `json:"id,omitzero"` // the random id on the labels of the engine's objects; empty in a state of the previous version
	Engine  string    `json:"engine"`
	Created time.Time `json:"created,omitzero"` // zero while the cluster is only half made
}

// EngineOf is the engine that a sandbox was put on, also while it is only half made; empty where none was chosen yet.
func EngineOf(f Folders, name string) (string, error) {
	s, err := readState(f, name)
	return s.Engine, err
}

func readState(f Folders, name string) (state, error) {
	var s state
	data, err := os.ReadFile(filepath.Join(f.of(name), "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, remedy.Wrap(fmt.Errorf("reading the state of sandbox %s: %w", name, err), remedy.Command("down"))
	}
	return s, nil
}

func writeState(f Folders, name string, s state) error {
	if err := os.MkdirAll(f.of(name), 0o700); err != nil {
		return err
	}
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(f.of(name), "state.json")
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
