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

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
)

// moments are when `up` is stopped, in the order in which it gets there: what it has just said. Each `up` completes what the
// one before left, so the next moment proves that the last was survived.
var moments = []string{
	locked, "✓ engine", "… node image: loading it into", "… cluster: Preparing nodes", "… cluster: Starting control-plane", "… cluster: Installing StorageClass", "… cluster: waiting until the node", "✓ cluster",
	"… cert-manager: waiting for image", "… cert-manager: installing", "… cert-manager: waiting until it is ready", "… pki: installing",
	"… userservice: installing", "… userservice: waiting until it is ready", "… loadgen: installing", "… postgres: waiting until it is ready", "… prometheus: installing", "… jaeger: installing",
	"… orderservice: installing",
}

// locked is the moment before `up` has said anything: it has just taken the lock.
const locked = "its lock"

// lastStep is said when `up` has installed everything: a signal may come too late on a slow machine.
const lastStep = "✓ releases"

func TestUpAfterItWasStoppedInEveryStep(t *testing.T) {
	for _, row := range []struct {
		by     string
		signal os.Signal
		code   int // -1: it never got to end
	}{{"kill -9", syscall.SIGKILL, -1}, {"Ctrl-C", os.Interrupt, 130}} {
		feature(t, row.by, func(ctx context.Context, t *testing.T) {
			removeAll(ctx, t)
			for _, m := range moments {
				if code, said := stopAt(ctx, t, m, row.signal); code != row.code && !(code == 0 && strings.Contains(said, lastStep)) {
					t.Errorf("stopped by %s after %q: exit code %d, want %d; it said:\n%s", row.by, m, code, row.code, said)
				}
			}
			if err := world.must(ctx, "up"); err != nil {
				t.Fatal(err)
			}
			if !ready(ctx, t) {
				t.Error("up ended well, and status calls the sandbox not ready")
			}
		})
	}
}

// removeAll takes the sandbox away, and the name of the node's image from the engine, so that `up` has every step to do. The image itself stays,
// under another name: to force it away would take every other sandbox of this machine with it.
func removeAll(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := world.must(ctx, "down"); err != nil {
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

// stopAt runs `up` until it has said what, sends it a signal, and returns its exit code and all that it said.
func stopAt(ctx context.Context, t *testing.T, what string, signal os.Signal) (code int, all string) {
	t.Helper()
	cmd := world.command(ctx, "up")
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
		// The pipe ends with the last process that has it, and one that was killed may leave a child behind.
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
	config := filepath.Dir(filepath.Dir(world.GetKubeconfig()))
	err := wait.PollUntilContextTimeout(ctx, time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		_, err := os.Stat(filepath.Join(config, world.name+".lock"))
		return err == nil, nil
	})
	if err != nil {
		t.Fatalf("up never took its lock: %v", err)
	}
}
