package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// state is what a sandbox stores between commands. It is written before the engine or the cluster is changed, so that a killed command leaves a
// record of what it was doing.
type state struct {
	// ID is the random id on the labels of the engine's objects. It is empty in a state written by the previous version.
	ID     string `json:"id,omitzero"`
	Engine string `json:"engine"`
	// Created is zero while the cluster is being created.
	Created time.Time `json:"created,omitzero"`
	// GatewayPort is the port of 127.0.0.1 at which the gateway is reached; 0 for a cluster that an earlier version has created.
	GatewayPort int `json:"gatewayPort,omitzero"`
}

// EngineOf returns the engine that a sandbox was created on, also if its creation was not completed. It is empty if no engine was chosen yet.
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

// GatewayAddress returns the address of this machine at which the gateway of a sandbox is reached; empty for a cluster that an earlier version has
// created.
func GatewayAddress(f Folders, name string) (string, error) {
	s, err := readState(f, name)
	if err != nil || s.GatewayPort == 0 {
		return "", err
	}
	return net.JoinHostPort("localhost", strconv.Itoa(s.GatewayPort)), nil
}
