package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// The run that goes on, or the last one, lies in a file, so that a `watch` in another terminal sees it.
func runFile(f sandbox.Folders, name string) string {
	return filepath.Join(f.Config, name, "run.json")
}

func writeRun(f sandbox.Folders, name string, r telemetry.Run) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := runFile(f, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// readRun returns nil when no scenario ever ran.
func readRun(f sandbox.Folders, name string) (*telemetry.Run, error) {
	data, err := os.ReadFile(runFile(f, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r telemetry.Run
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("reading the last run from %s: %w\ntry: remove that file", runFile(f, name), err)
	}
	return &r, nil
}
