// Package pgtest runs a private PostgreSQL for a test, with the very script of the chart, and its settings but for inTests.
package pgtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
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
)

// Require is the variable that makes a missing PostgreSQL a failure instead of a skipped test.
const Require = "SANDBOX_REQUIRE_POSTGRES"

// Server is one PostgreSQL with its own certificate authority. Its folder is data, settings, socket and certificate.
type Server struct {
	folder     string
	port       string
	owner      *syscall.Credential // nil: the test's own user
	bin        string
	ca         *authority
	olderRoots []*x509.Certificate // trusted, and not signing any more
	running    *exec.Cmd
	databases  atomic.Int64
}

// Start makes a server that ends with the test.
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
		if os.Getenv(Require) != "" { //nolint:forbidigo // a test's own switch
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	folder, err := os.MkdirTemp("", "pgtest-") // not t.TempDir: the path of a socket must be short, and another user must reach it
	if err != nil {
		return nil, err
	}
	s := &Server{folder: folder, bin: bin, port: "5432"} // only the name of a socket, until it listens
	for _, step := range []func(context.Context) error{s.prepare, s.fill, s.listen} {
		if err := step(context.Background()); err != nil {
			return nil, errors.Join(err, os.RemoveAll(folder))
		}
	}
	return s, nil
}

// binaries is the folder of initdb and the others: where the one in PATH really lies, or where Debian puts it.
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

// inTests is what differs from the chart's settings: it is processes that are killed here, never a machine, and many tests share a server. With a single address, a port that is taken ends it.
const inTests = "\nfsync = off\nmax_connections = 300\nlisten_addresses = '127.0.0.1'\n"

func (s *Server) prepare(context.Context) error {
	var err error
	if s.ca, err = newAuthority(); err != nil {
		return err
	}
	if os.Getuid() == 0 { // the server refuses to run as root
		if s.owner, err = somebody(); err != nil {
			return err
		}
	}
	for _, dir := range []string{"", "settings", "socket", "tls", "in-use"} {
		if err := os.MkdirAll(filepath.Join(s.folder, dir), 0o700); err != nil {
			return err
		}
	}
	_, here, _, _ := runtime.Caller(0)
	settings := filepath.Join(filepath.Dir(here), "../../../charts/postgres/files")
	if err := os.CopyFS(filepath.Join(s.folder, "settings"), os.DirFS(settings)); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(s.folder, "settings/postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(inTests)
	return errors.Join(err, file.Close(), s.Renew())
}

// somebody is a user who is not root.
func somebody() (*syscall.Credential, error) {
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

// command runs as the server's own user.
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

// errPortTaken: somebody else listens there.
var errPortTaken = errors.New("the port of PostgreSQL is taken")

// listen starts the server for the first time. A port that is free now may be another's when the server asks for it, so it asks for a few.
func (s *Server) listen(ctx context.Context) error {
	var err error
	for range 5 {
		if s.port, err = freePort(); err != nil {
			return err
		}
		if err = s.Resume(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// Resume starts a server that was killed, and waits until it answers.
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
	limit := time.Now().Add(90 * time.Second) // a machine may be very busy
	for {
		ask := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "-q", "-t", "15", "-h", filepath.Join(s.folder, "socket"), "-p", s.port) // nobody else's
		err := ask.Run()
		if err == nil {
			return nil
		}
		if time.Now().After(limit) || ctx.Err() != nil || hasEnded(s.running.Process.Pid) {
			s.Kill()
			said, _ := os.ReadFile(log.Name())
			if bytes.Contains(said, []byte("Address already in use")) {
				err = errPortTaken
			}
			return fmt.Errorf("asking PostgreSQL whether it is there: %w\n%s", err, said)
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // a test's own wait
	}
}

// Kill ends every process of the server at once, as a killed pod's.
func (s *Server) Kill() {
	if s.running == nil {
		return
	}
	pid := s.running.Process.Pid
	freeze(pid)                                            // or it makes one process more while we count, which then holds the server's lock
	family := append([]int{pid, -pid}, childrenOf(pid)...) // its group has those whose parent ended by itself
	for _, p := range family {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	_ = s.running.Wait() // it was killed
	s.running = nil
}

func (s *Server) remove() {
	s.Kill()
	_ = os.RemoveAll(s.folder)
}

// freeze stops a process, and waits until it stands still.
func freeze(pid int) {
	if syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return // it has ended
	}
	for !strings.ContainsAny(stateOf(pid), "TZX") { // stopped, or ended
		time.Sleep(time.Millisecond) //nolint:forbidigo // a test's own wait
	}
}

// hasEnded says that a process is over, and only its parent has not asked how it ended.
func hasEnded(pid int) bool { return strings.ContainsAny(stateOf(pid), "ZX") }

// stateOf is the letter of proc(5); X when there is no such process.
func stateOf(pid int) string {
	fields, err := stat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || len(fields) == 0 {
		return "X"
	}
	return fields[0]
}

// stat is what follows the name in a process's line: its state, its parent …
func stat(file string) ([]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:])), nil
}

// childrenOf reads the process table.
func childrenOf(parent int) []int {
	var children []int
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		fields, err := stat(file)
		if err != nil {
			continue // it ended meanwhile
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			children = append(children, pid)
		}
	}
	return children
}
