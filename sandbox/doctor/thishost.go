package doctor

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// reachWithin is the timeout for reaching an address.
const reachWithin = 5 * time.Second

// ThisHost returns this machine. Engine is the first of docker, podman and nerdctl that is installed. The caller may change it, and sets the
// fields that only the caller knows.
func ThisHost(getenv func(string) string) Host {
	// The default transport uses the proxy of the environment.
	client := &http.Client{Timeout: reachWithin}
	return Host{
		ReadFile: os.ReadFile,
		Stat:     os.Stat,
		LookPath: exec.LookPath,
		Getenv:   getenv,
		Getuid:   os.Getuid,
		DiskFree: diskFreeAt,
		Nofile:   nofile,
		Exec:     execute,
		Reach:    func(ctx context.Context, url string) error { return reach(ctx, client, url) },
		Listen:   listen,
		Writable: writable,
		Now:      time.Now,
		Engine:   firstEngine(),
	}
}

func firstEngine() string {
	for _, e := range []string{"docker", "podman", "nerdctl"} {
		if _, err := exec.LookPath(e); err == nil {
			return e
		}
	}
	return ""
}

// diskFreeAt returns the bytes that a user who is not root may still write at path, which need not exist.
func diskFreeAt(path string) (uint64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, err
	}
	for {
		free, err := freeBytes(path)
		if err == nil {
			return free, nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, fs.ErrNotExist) || parent == path {
			return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
		}
		path = parent
	}
}

// execute runs a program. The error contains the program's standard error.
func execute(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = &saidError{strings.Join(strings.Fields(string(exit.Stderr)), " "), err}
	}
	return string(out), err
}

type saidError struct {
	said string
	err  error
}

func (e *saidError) Error() string { return e.said }
func (e *saidError) Unwrap() error { return e.err }

func reach(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

func listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_ = f.Close()
	return os.Remove(f.Name())
}
