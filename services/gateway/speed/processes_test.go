//go:build linux

package speed

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/services/gateway"
)

// role is the environment variable that says what the test program is; it is empty for the tests themselves.
const role = "SPEED_ROLE"

// The roles of a process.
const (
	roleAgent   = "agent"
	roleService = "service"
)

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case roleAgent:
		go endWithParent()
		// As root, nginx runs its workers as another user, which uses the sockets of the agent. In the image both are the same user.
		syscall.Umask(0)
		os.Exit(gateway.Main(os.Stderr, os.Getenv))
	case roleService:
		os.Exit(serve(os.Stdin, os.Stdout, os.Stderr, os.Getenv("TLS_DIR")))
	default:
		os.Exit(m.Run())
	}
}

// endWithParent ends the process like a signal when its parent has closed its input, or has ended.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
}

// start runs this program in a role until the end of the test. It writes its log to a file in the folder, which is printed if the test fails. The
// first line of its output is returned for a service.
func start(t testing.TB, folder, as string, environment ...string) (pid int, firstLine string) {
	t.Helper()
	name := filepath.Join(folder, as+".log")
	log, err := os.Create(name)
	must(t, err)
	p := exec.Command(os.Args[0]) //nolint:gosec,noctx // closing its input ends it
	p.Env = append(append(os.Environ(), role+"="+as), environment...)
	p.Stderr = log
	input, err := p.StdinPipe()
	must(t, err)
	output, err := p.StdoutPipe()
	must(t, err)
	must(t, p.Start())
	t.Cleanup(func() {
		_ = input.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = p.Process.Kill() })
		if err := p.Wait(); err != nil {
			t.Errorf("the %s has ended: %v", as, err)
		}
		kill.Stop()
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(name)
			t.Logf("the log of the %s ends with:\n%s", as, text[max(0, len(text)-4000):])
		}
	})
	if as == roleService {
		if firstLine, err = bufio.NewReader(output).ReadString('\n'); err != nil {
			t.Fatalf("the service has printed no address: %v", err)
		}
	}
	return p.Process.Pid, strings.TrimSpace(firstLine)
}
