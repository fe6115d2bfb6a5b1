package sandbox

import (
	"net"
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

func TestGatewayAddress_OfEachState(t *testing.T) {
	f := Folders{Config: t.TempDir()}
	for _, c := range []struct {
		port int
		want string
	}{{0, ""}, {9443, "localhost:9443"}} {
		if err := writeState(f, "one", state{Engine: "podman", GatewayPort: c.port}); err != nil {
			t.Fatal(err)
		}
		if got, err := GatewayAddress(f, "one"); err != nil || got != c.want {
			t.Errorf("port %d: %q, %v", c.port, got, err)
		}
	}
}

func TestFreePort_AvoidsAPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().(*net.TCPAddr).Port
	if got, err := freePort(taken); err != nil || got == taken || got == 0 {
		t.Errorf("with the port in use: %d, %v", got, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := freePort(taken); err != nil || got != taken {
		t.Errorf("with the port free: %d, %v; want %d", got, err, taken)
	}
}
