package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/subscriber"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// Main runs the agent, configured by its environment, until the process receives SIGINT, SIGTERM, or SIGQUIT, with which containers of nginx's image
// are stopped. It returns the exit code of the process.
func Main(stderr io.Writer, getenv func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	if err := run(ctx, stderr, getenv); err != nil {
		fmt.Fprintf(stderr, "gateway: %s\n", remedy.Line(err, nil))
		return 1
	}
	return 0
}

func run(ctx context.Context, stderr io.Writer, getenv func(string) string) error {
	base, err := governance.ConfigFromEnv("gateway", getenv)
	if err != nil {
		return err
	}
	cfg, err := ConfigFromEnv(getenv)
	if err != nil {
		return err
	}
	control, err := subscriber.ConfigFromEnv(getenv)
	if err != nil {
		return err
	}
	if control.Addr == "" {
		return remedy.New("CONTROL_ADDR is not set: the control plane says whom the gateway admits", remedy.Value("control.sandbox-system.svc:8443"))
	}
	// The agent serves no gRPC itself.
	base.ListenAddr, base.NoReflection = "127.0.0.1:0", true
	return governance.Run(ctx, stderr, base, func(p *governance.Process, _ *grpc.Server) error { return register(ctx, p, cfg, control) })
}

// register adds the work of the agent to a process.
func register(ctx context.Context, p *governance.Process, cfg Config, control subscriber.Config) error {
	if p.Identity == nil {
		return remedy.New("the gateway needs a certificate for its calls to services", remedy.Advice("unset TLS_DIR, or set it to the folder of the certificate"))
	}
	a := &agent{cfg: cfg, process: p, log: p.Log, server: nginx.New(cfg.NGINX, cfg.Folder, p.Log), lookup: net.DefaultResolver.LookupHost, addresses: map[string][]string{},
		ready: p.ReadyAfter()}
	control.Enforcer, control.Apply = subscriber.NGINX, func() error { return a.apply("the policy has changed") }
	known := map[string]callee{}
	for _, s := range cfg.Services {
		for _, m := range methods(s.Name) {
			known[m.Name] = callee{s.Name, m}
			control.Served = append(control.Served, m.Name)
		}
	}
	if err := subscriber.Start(p, control); err != nil {
		return err
	}
	a.remember()
	var err error
	if a.routes, err = routes(); err != nil {
		return err
	}
	handler, err := a.transcoder()
	if err != nil {
		return err
	}
	own, err := newMetrics(p.Metrics.Registerer, a.server)
	if err != nil {
		return fmt.Errorf("registering the metrics of the gateway: %w", err)
	}
	tracing, err := governance.NewTracing(ctx, governance.TracingConfig{Service: p.Config.Service, Pod: p.Config.Pod, Endpoint: p.Config.OTLPEndpoint, Identity: p.Identity,
		Ratio: p.Config.TraceRatio, Log: p.Log, IDs: givenIDs{}})
	if err != nil {
		return err
	}
	conn, err := listenForLines()
	if err != nil {
		return err
	}
	a.accessLog = conn.LocalAddr().String()
	lines := accessLog{conn: conn, log: p.Log, metrics: p.Metrics, own: own, tracer: tracing.Tracer("gateway"), known: known}
	// nginx serves for a while after the process was asked to stop, and needs REST and the access log until it has ended.
	served, end := context.WithCancel(context.WithoutCancel(ctx))
	p.Go(func(ctx context.Context) error {
		defer end()
		return a.supervise(ctx)
	})
	p.Go(func(context.Context) error { return serveREST(served, a.file(agentSocket), handler) })
	p.Go(func(context.Context) error {
		err := lines.receive(served)
		last, cancel := context.WithTimeout(context.WithoutCancel(served), 2*time.Second)
		defer cancel()
		return errors.Join(err, tracing.Shutdown(last))
	})
	p.Go(a.watch)
	p.Go(func(ctx context.Context) error { return a.followTrust(ctx, control) })
	return nil
}

// serveREST serves what nginx passes on, until ctx ends.
func serveREST(ctx context.Context, path string, handler http.Handler) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing the old socket of the agent: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("listening for REST: %w", err)
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving REST: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.Shutdown(last)
}
