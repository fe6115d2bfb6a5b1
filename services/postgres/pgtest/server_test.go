package pgtest

import (
	"errors"
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(Stopping(m)) }

func TestResume_PortTaken(t *testing.T) {
	server := Start(t)
	server.Kill()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, server.port, err = net.SplitHostPort(other.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if err := server.Resume(t.Context()); !errors.Is(err, errPortTaken) {
		t.Errorf("on a port that is in use: got %v", err)
	}
	if err := server.listen(t.Context()); err != nil {
		t.Error("on another port:", err)
	}
}
