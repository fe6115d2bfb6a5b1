// Package pgtest runs a private PostgreSQL server for a test. It uses the script and the settings of the chart postgres, except for testSettings.
package pgtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// requireEnv names the environment variable that turns a missing PostgreSQL into a failure instead of a skipped test.
const requireEnv = "SANDBOX_REQUIRE_POSTGRES"

// Server is one PostgreSQL server with its own certificate authority. Its folder has the data, settings, socket and certificates.
type Server struct {
	folder string
	port   string
	// owner is the user that the server runs as; nil means the user of the test.
	owner *syscall.Credential
	bin   string
	ca    *authority
	// olderRoots are trusted, but do not sign any more.
	olderRoots []*x509.Certificate
	running    *exec.Cmd
	databases  atomic.Int64
}

// Start starts a server that is removed when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := start(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

func start(t testing.TB) (*Server, error) {
	bin := binaries()
	if bin == "" {
		const missing = "no PostgreSQL on this machine: apt-get install postgresql"
		if os.Getenv(requireEnv) != "" { //nolint:forbidigo // a switch of tests
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	// Not t.TempDir: the path of a socket must be short, and another user must be able to reach it.
	folder, err := os.MkdirTemp("", "pgtest-")
	if err != nil {
		return nil, err
	}
	// The port is only a part of the socket's name until listen chooses one.
	s := &Server{folder: folder, bin: bin, port: "5432"}
	for _, step := range []func(context.Context) error{s.prepare, s.fill, s.listen} {
		if err := step(context.Background()); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	return s, nil
}

// binaries returns the folder of initdb and the other programs: the folder behind the initdb in PATH, or the one where Debian installs it.
func binaries() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

// testSettings are the differences from the chart's settings. Tests kill processes, never the machine, so fsync is not needed; many tests
// share a server; and with a single address, a port that is in use ends the server at once.
const testSettings = "\nfsync = off\nmax_connections = 300\nlisten_addresses = '127.0.0.1'\n"

func (s *Server) prepare(context.Context) error {
	var err error
	if s.ca, err = newAuthority(); err != nil {
		return err
	}
	// The server refuses to run as root.
	if os.Getuid() == 0 {
		if s.owner, err = unprivilegedUser(); err != nil {
			return err
		}
	}
	for _, dir := range []string{"", "settings", "socket", "tls", "in-use"} {
		if err := os.MkdirAll(filepath.Join(s.folder, dir), 0o700); err != nil {
			return err
		}
	}
	if err := writeSettings(filepath.Join(s.folder, "settings")); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.folder, "settings/postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(testSettings)
	return errors.Join(err, file.Close(), s.Renew())
}

// writeSettings writes the files of the ConfigMap that the chart renders for the sandbox.
func writeSettings(folder string) error {
	_, here, _, _ := runtime.Caller(0)
	rendered, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../charts/testdata/postgres.golden.yaml"))
	if err != nil {
		return err
	}
	for _, text := range strings.Split(string(rendered), "\n---\n") {
		var object struct {
			Kind string
			Data map[string]string
		}
		if err := yaml.Unmarshal([]byte(text), &object); err != nil {
			return err
		}
		if object.Kind != "ConfigMap" {
			continue
		}
		for name, content := range object.Data {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("the chart of PostgreSQL renders no ConfigMap")
}

// unprivilegedUser returns a user other than root.
func unprivilegedUser() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
	}
	return nil, errors.New("running PostgreSQL as root: there is no user postgres or nobody")
}

// command returns a command that runs as the server's user.
func (s *Server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.folder
	cmd.Env = []string{"PATH=" + s.bin + ":/usr/bin:/bin", "PGDATA=" + filepath.Join(s.folder, "main"), "PGPORT=" + s.port,
		"PGHOST=" + filepath.Join(s.folder, "socket"), "SETTINGS=" + filepath.Join(s.folder, "settings"),
		"TLS_DIR=" + filepath.Join(s.folder, "tls"), "TLS_IN_USE=" + filepath.Join(s.folder, "in-use"), "TLS_EVERY=0.2"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

func (s *Server) script(ctx context.Context, do string) *exec.Cmd {
	return s.command(ctx, "sh", filepath.Join(s.folder, "settings/postgres.sh"), do)
}

func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// errPortTaken means that another process listens on the port.
var errPortTaken = errors.New("the port of PostgreSQL is taken")

// listen starts the server for the first time. Another process may take the free port before the server does, so it tries a few ports.
func (s *Server) listen(ctx context.Context) error {
	var err error
	for range 20 {
		if s.port, err = freePort(); err == nil {
			err = s.Resume(ctx)
		}
		if !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// freePort returns a port below those that the kernel gives to clients. While a server is killed, a client of its own could get its port otherwise:
// it would connect to itself, and the server could not start again.
func freePort() (string, error) {
	const lowest = 10000
	below := lowest + rand.IntN(max(1, firstClientPort()-lowest)) //nolint:gosec // not a secret
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(below)))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errPortTaken, err)
	}
	return strconv.Itoa(below), listener.Close()
}

// firstClientPort returns the first port that the kernel gives to clients.
func firstClientPort() int {
	const usual = 32768
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	fields := strings.Fields(string(data))
	if len(fields) == 0 {
		return usual
	}
	first, err := strconv.Atoi(fields[0])
	if err != nil {
		return usual
	}
	return first
}

// startLimit is how long a server may take until it accepts connections. A test machine may be very busy.
const startLimit = 90 * time.Second

// Resume starts a server that was killed, and waits until it accepts connections.
func (s *Server) Resume(ctx context.Context) error {
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	s.running = s.script(context.WithoutCancel(ctx), "serve")
	s.running.Stdout, s.running.Stderr = log, log
	if err := s.running.Start(); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var ready error
	answered := poll(waiting, 20*time.Millisecond, func() bool {
		// The socket is in the folder of this server, so no other server can answer.
		ready = exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "-q", "-t", "15",
			"-h", filepath.Join(s.folder, "socket"), "-p", s.port).Run()
		return ready == nil || hasEnded(s.running.Process.Pid)
	})
	if answered && ready == nil {
		return nil
	}
	s.Kill()
	output, _ := os.ReadFile(log.Name())
	if bytes.Contains(output, []byte("Address already in use")) {
		ready = errPortTaken
	}
	return fmt.Errorf("waiting for PostgreSQL: %w\n%s", ready, output)
}

// Kill ends every process of the server without a shutdown, as when a pod is killed.
func (s *Server) Kill() {
	if s.running == nil {
		return
	}
	pid := s.running.Process.Pid
	// Without the freeze the parent could start another process while childrenOf runs, and that process would keep the server's lock. The process
	// group also has processes whose parent has exited.
	freeze(pid)
	family := append([]int{pid, -pid}, childrenOf(pid)...)
	for _, p := range family {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	// The process was killed, so its error says nothing new.
	_ = s.running.Wait()
	s.running = nil
}

func (s *Server) remove() {
	s.Kill()
	_ = os.RemoveAll(s.folder)
}

// freeze stops a process and waits until it is stopped or has exited.
func freeze(pid int) {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		// The process has exited.
		return
	}
	// A process cannot ignore SIGSTOP, so this ends.
	poll(context.Background(), time.Millisecond, func() bool { return strings.ContainsAny(stateOf(pid), "TZX") })
}

// hasEnded reports whether a process has exited; its parent may not have waited for it yet.
func hasEnded(pid int) bool { return strings.ContainsAny(stateOf(pid), "ZX") }

// stateOf returns the state of a process as in proc(5), and X if there is no such process.
func stateOf(pid int) string {
	fields, err := stat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || len(fields) == 0 {
		return "X"
	}
	return fields[0]
}

// stat returns the fields after the name in a process's stat file: its state, its parent and so on.
func stat(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])), nil
}

// childrenOf returns the children of a process, from the process table.
func childrenOf(parent int) []int {
	var children []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		fields, err := stat(file)
		if err != nil {
			// The process exited in the meantime.
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			children = append(children, pid)
		}
	}
	return children
}
