//go:build linux

package speed

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx/nginxtest"
	"github.com/grpc-sandbox/sandbox/services/user/userv1"
)

// world is a gateway and a service, with clients of both.
type world struct {
	// program is nginx's, folder that of the gateway.
	program, folder string
	// agent is the id of the agent's process, nginx are those of nginx's.
	agent int
	nginx []int
	// direct calls the service as a workload does, through calls the gateway as a partner does.
	direct, through userv1.UserServiceClient
	// rest calls the gateway over HTTP/2, at an address.
	rest      *http.Client
	transport *http.Transport
	address   string
}

// newWorld starts a gateway, which serves when newWorld returns. The environment is added to that of the agent.
func newWorld(t testing.TB, environment ...string) *world {
	t.Helper()
	program := nginxtest.Program(t)
	// The path of a Unix socket has at most 107 bytes.
	folder, err := os.MkdirTemp("", "speed")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	// As root, nginx runs its workers as another user.
	must(t, os.Chmod(folder, 0o755)) //nolint:gosec // for the sockets
	ca := newMesh(t)
	own := partner(t, folder)
	_, service := start(t, folder, roleService, "TLS_DIR="+ca.folder(t, folder, "userservice"))
	w := &world{program: program, folder: folder, address: freeAddress(t)}
	w.agent, _ = start(t, folder, roleAgent, append([]string{"TLS_DIR=" + ca.folder(t, folder, "gateway"), "GATEWAY_ADDR=" + w.address, "GATEWAY_DIR=" + folder, "NGINX=" + program,
		fmt.Sprintf("SERVICES=userservice=%s=%s,orderservice=%s=%s", service, service, service, service),
		// There is no control plane, health check or collector of metrics and spans.
		"CONTROL_ADDR=" + host + ":9", "HEALTH_ADDR=off", "METRICS_ADDR=off", "OTEL_EXPORTER_OTLP_ENDPOINT=", "DRAIN_DELAY=off", "GOMEMLIMIT=60MiB"}, environment...)...)
	workload, err := mutualTLS(ca.folder(t, folder, "orderservice"))
	must(t, err)
	w.direct = dial(t, service, workload)
	outside := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: ca.pool(), Certificates: []tls.Certificate{own}}
	w.through = dial(t, w.address, outside)
	w.transport = &http.Transport{TLSClientConfig: outside, ForceAttemptHTTP2: true}
	t.Cleanup(w.transport.CloseIdleConnections)
	w.rest = &http.Client{Transport: w.transport}
	err = pause.UntilWithin(t.Context(), 50*time.Millisecond, time.Minute, func(ctx context.Context) (bool, error) {
		_, err = w.through.GetUser(ctx, &userv1.GetUserRequest{UserId: "u-1"})
		return err == nil, nil
	})
	if err != nil {
		t.Fatal("the gateway does not serve")
	}
	w.nginx, err = nginxProcesses(folder)
	must(t, err)
	return w
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func dial(t testing.TB, address string, cfg *tls.Config) userv1.UserServiceClient {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return userv1.NewUserServiceClient(conn)
}

// request sends a request of REST, with a message as the body unless it is nil, and reads the user in the answer.
func (w *world) request(ctx context.Context, verb, path string, message any) error {
	var body io.Reader = http.NoBody
	if message != nil {
		text, err := json.Marshal(message)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, verb, "https://"+w.address+path, body)
	if err != nil {
		return err
	}
	if message != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := w.rest.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2 {
		return fmt.Errorf("%s %s: %s %s: %s", verb, path, answer.Proto, answer.Status, text)
	}
	var read struct {
		User struct {
			UserID, Name, Email string
			Age                 int
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	if read.User.UserID != "u-1" {
		return fmt.Errorf("%s %s: %s", verb, path, text)
	}
	return nil
}

// used is what nginx and the agent have done so far, or in a block.
type used struct {
	// nginx and agent are times of processors.
	nginx, agent time.Duration
	// lines is the number of requests that the agent has logged.
	lines int
}

func (u used) since(before used) used {
	return used{u.nginx - before.nginx, u.agent - before.agent, u.lines - before.lines}
}

func (u used) plus(other used) used {
	return used{u.nginx + other.nginx, u.agent + other.agent, u.lines + other.lines}
}

// soFar returns what was done when the agent has handled the access log of all calls before. The little that it does without calls is then all it does.
func (w *world) soFar(ctx context.Context) (now used, err error) {
	const every, idle = 50 * time.Millisecond, 2 * time.Millisecond
	before := -idle
	err = pause.UntilWithin(ctx, every, time.Minute, func(context.Context) (bool, error) {
		var err error
		now.agent, err = processorTime(w.agent)
		done := now.agent-before < idle
		before = now.agent
		return done, err
	})
	if err != nil {
		return used{}, fmt.Errorf("waiting until the agent is idle: %w", err)
	}
	if now.nginx, err = processorTime(w.nginx...); err != nil {
		return used{}, err
	}
	now.lines, err = w.logged(`"msg":"access"`)
	return now, err
}

// logged returns how often the log of the agent has a text.
func (w *world) logged(text string) (int, error) {
	log, err := os.ReadFile(filepath.Join(w.folder, roleAgent+".log"))
	return bytes.Count(log, []byte(text)), err
}
