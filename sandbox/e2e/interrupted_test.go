//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// moments are the lines after which `up` is stopped, in the order in which it prints them. Each `up` continues after the interrupted one before, so
// reaching the next line proves that it recovered.
var moments = []string{
	locked, "✓ engine", "… node image: loading it into", "… cluster: Preparing nodes", "… cluster: Starting control-plane", "… cluster: Installing StorageClass", "… cluster: waiting until the node", "✓ cluster",
	"… cert-manager: waiting for image", "… cert-manager: installing", "… cert-manager: waiting until it is ready", "… pki: installing",
	"… userservice: installing", "… userservice: waiting until it is ready", "… loadgen: installing", "… postgres: waiting until it is ready", "… prometheus: installing", "… jaeger: installing",
	"… orderservice: installing",
}

// locked is the moment when `up` has taken the lock and not printed anything.
const locked = "its lock"

// lastStep is printed when `up` has installed everything. On a slow machine the signal may arrive after that.
const lastStep = "✓ releases"

func TestUp_InterruptedInEveryStep(t *testing.T) {
	for _, row := range []struct {
		by     string
		signal os.Signal
		// The exit code, or -1 for a process that was killed.
		code int
	}{{"kill -9", syscall.SIGKILL, -1}, {"Ctrl-C", os.Interrupt, 130}} {
		feature(t, row.by, func(ctx context.Context, t *testing.T) {
			removeAll(ctx, t)
			for _, m := range moments {
				if code, said := stopAt(ctx, t, m, row.signal); code != row.code && !(code == 0 && strings.Contains(said, lastStep)) {
					t.Errorf("stopped by %s after %q: exit code %d, want %d; it printed:\n%s", row.by, m, code, row.code, said)
				}
			}
			if err := shared.must(ctx, "up"); err != nil {
				t.Fatal(err)
			}
			if !ready(ctx, t) {
				t.Error("up succeeded, but status reports that the sandbox is not ready")
			}
		})
	}
}

// removeAll removes the sandbox and the name of the node image, so that `up` executes every step. The image itself is kept under another name,
// because removing it by force would remove every other sandbox on this machine.
func removeAll(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := shared.must(ctx, "down"); err != nil {
		t.Fatal(err)
	}
	const kept = "sandbox.local/kept-by-a-test:1"
	engine := engineOfTheTest(ctx, t)
	for _, args := range [][]string{{"tag", images.NodeRef, kept}, {"rmi", images.NodeRef}} {
		if out, err := exec.CommandContext(ctx, engine, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", engine, args, err, out)
		}
	}
	t.Cleanup(func() { _ = exec.Command(engine, "rmi", kept).Run() })
}

func engineOfTheTest(ctx context.Context, t *testing.T) string {
	t.Helper()
	for _, name := range cluster.EngineNames() {
		if exec.CommandContext(ctx, name, "image", "inspect", images.NodeRef).Run() == nil {
			return name
		}
	}
	t.Fatal("no engine has the node's image")
	return ""
}

// stopAt runs `up` until it has printed what, sends it a signal, and returns its exit code and output.
func stopAt(ctx context.Context, t *testing.T, what string, signal os.Signal) (code int, all string) {
	t.Helper()
	cmd := shared.command(ctx, "up")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if what == locked {
		awaitLock(ctx, t)
		_ = cmd.Process.Signal(signal)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		// The pipe stays open until the last process that inherited it ends, and a killed process may leave a child behind.
		_ = r.SetReadDeadline(time.Now().Add(time.Second))
		ended <- err
	}()
	var said []string
	reached := what == locked
	for s := bufio.NewScanner(r); s.Scan(); {
		said = append(said, s.Text())
		if !reached && strings.Contains(s.Text(), what) {
			reached = true
			_ = cmd.Process.Signal(signal)
		}
	}
	all = strings.Join(said, "\n")
	code, err = exitCode(<-ended)
	if err != nil || !reached {
		t.Fatalf("up ended with %d, %v, before %q:\n%s", code, err, what, all)
	}
	return code, all
}

func awaitLock(ctx context.Context, t *testing.T) {
	t.Helper()
	config := filepath.Dir(filepath.Dir(shared.GetKubeconfig()))
	err := pause.UntilWithin(ctx, time.Millisecond, time.Minute, func(context.Context) (bool, error) {
		_, err := os.Stat(filepath.Join(config, shared.name+".lock"))
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("up never took its lock: %v", err)
	}
}
