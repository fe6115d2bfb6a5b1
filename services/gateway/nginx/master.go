package nginx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
)

// Server is a running nginx. Use Start.
type Server struct {
	program, folder string
	log             *slog.Logger
	client          *http.Client

	// mu is held while a configuration is applied.
	mu      sync.Mutex
	version string
	master  *exec.Cmd
	// ended receives the reason when the master process has ended.
	ended chan error
}

// statusSocket is the name of the socket on which nginx answers the agent.
const statusSocket = "status.sock"

// New returns a server that runs the program with files in a folder, which must exist. It starts with the first configuration.
func New(program, folder string, log *slog.Logger) *Server {
	socket := filepath.Join(folder, statusSocket)
	return &Server{program: program, folder: folder, log: log, ended: make(chan error, 1), client: &http.Client{Timeout: time.Second,
		// Each question needs a new connection: the old workers answer on theirs until they end.
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}}}}
}

// RejectedError is the error of a configuration that nginx does not accept. Output is the first line of what nginx says.
type RejectedError struct{ Output string }

func (e *RejectedError) Error() string { return "nginx rejects the configuration: " + e.Output }

// applyLimit bounds how long new workers may take to serve a new configuration.
const applyLimit = 10 * time.Second

// Apply tests a configuration, and starts or reloads nginx with it. It returns when new calls meet the configuration. After an error, the last good
// one is in force.
func (s *Server) Apply(ctx context.Context, c Config) (version string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, version, err := Render(c)
	if err != nil || version == s.version {
		return version, err
	}
	next, inForce := filepath.Join(s.folder, "next.conf"), filepath.Join(s.folder, "nginx.conf")
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return "", fmt.Errorf("writing nginx.conf: %w", err)
	}
	if out, err := exec.CommandContext(ctx, s.program, "-t", "-q", "-c", next, "-p", s.folder).CombinedOutput(); err != nil { //nolint:gosec // the program is that of the image
		return "", &RejectedError{firstLine(out, err)}
	}
	if err := os.Rename(next, inForce); err != nil {
		return "", fmt.Errorf("writing nginx.conf: %w", err)
	}
	if s.master == nil {
		err = s.start(inForce)
	} else {
		err = s.master.Process.Signal(syscall.SIGHUP)
	}
	if err != nil {
		return "", fmt.Errorf("starting or reloading nginx: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	if err := pause.Until(limited, 10*time.Millisecond, func(ctx context.Context) (bool, error) { return s.serves(ctx, version), nil }); err != nil {
		return "", fmt.Errorf("waiting until nginx serves the new configuration: %w", err)
	}
	s.version = version
	return version, nil
}

// prefix is the time, level and process id before what nginx says.
var prefix = regexp.MustCompile(`^(nginx: )?(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )?\[\w+\] (\d+#\d+: )?`)

// firstLine returns what nginx says first.
func firstLine(out []byte, err error) string {
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			return prefix.ReplaceAllString(line, "")
		}
	}
	return err.Error()
}

func (s *Server) start(conf string) error {
	// An nginx that was killed leaves its sockets, and the next one refuses to start.
	if err := os.Remove(filepath.Join(s.folder, statusSocket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the socket of an nginx that was killed: %w", err)
	}
	// It belongs to no context: Stop ends it.
	s.master = exec.Command(s.program, "-c", conf, "-p", s.folder) //nolint:gosec,noctx // the program is that of the image
	s.master.Stderr = lines{s.log}
	// Workers that survive the master keep its output open.
	s.master.WaitDelay = time.Second
	if err := s.master.Start(); err != nil {
		s.master = nil
		return err
	}
	go func(master *exec.Cmd) { s.ended <- master.Wait() }(s.master)
	return nil
}

// Ended receives the reason when nginx has ended by itself.
func (s *Server) Ended() <-chan error { return s.ended }

// serves reports whether a new connection meets that version.
func (s *Server) serves(ctx context.Context, version string) bool {
	body, err := s.get(ctx, "/version")
	return err == nil && body == version && s.working() == 1
}

// working returns how many workers accept calls. For 100 ms after a reload, the old one still does. One that is shutting down has another title, and has
// told its clients to send new calls over other connections.
func (s *Server) working() (n int) {
	children, err := s.children()
	if err != nil {
		s.log.Warn("listing the workers of nginx", "error", err)
		return 0
	}
	for _, child := range children {
		title, err := os.ReadFile(filepath.Join("/proc", child, "cmdline"))
		if err == nil && strings.TrimRight(string(title), " \x00") == "nginx: worker process" {
			n++
		}
	}
	return n
}

// children returns the process ids of the workers.
func (s *Server) children() ([]string, error) {
	pid := strconv.Itoa(s.master.Process.Pid)
	list, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	return strings.Fields(string(list)), err
}

func (s *Server) get(ctx context.Context, path string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://nginx"+path, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return string(body), err
}

// Connections returns how many connections nginx has.
func (s *Server) Connections(ctx context.Context) (n int, err error) {
	body, err := s.get(ctx, "/status")
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(body, "Active connections: %d", &n); err != nil {
		return 0, fmt.Errorf("reading the status of nginx: %w", err)
	}
	return n, nil
}

// Stop ends nginx after the calls in flight, or when ctx ends. The error is that of an nginx that fails to end by itself.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return nil
	}
	// SIGQUIT waits for the calls in flight, SIGTERM does not.
	if err := s.master.Process.Signal(syscall.SIGQUIT); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case err := <-s.ended:
		return err
	case <-ctx.Done():
	}
	s.log.Warn("ending nginx with calls in flight")
	_ = s.master.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended: //nolint:errcheck // it was told to end at once
	case <-time.After(2 * time.Second):
		_ = s.master.Process.Kill()
		<-s.ended //nolint:errcheck // it was killed
	}
	return nil
}

// lines writes what nginx logs as log records.
type lines struct{ log *slog.Logger }

// Write logs lines.
func (l lines) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case strings.Contains(line, "[emerg]"), strings.Contains(line, "[alert]"), strings.Contains(line, "[crit]"):
			l.log.Error("nginx", "line", line)
		case strings.Contains(line, "[error]"), strings.Contains(line, "[warn]"):
			l.log.Warn("nginx", "line", line)
		default:
			l.log.Debug("nginx", "line", line)
		}
	}
	return len(p), nil
}
