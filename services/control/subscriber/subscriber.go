// Package subscriber makes a process enforce what the control plane pushes. It is a package of its own, so that a program which uses governance
// alone does not link the protos of xDS.
//
//	           ┌─ ADS: policy ──▶ faults that have not ended ──▶ policy.Push ──▶ acknowledged, or rejected with the reason
//	control ◀──┤
//	           └─ session: heartbeats of leases ──▶ ;  events of the process ◀──
//
// While the control plane cannot be reached, the last good policy stays in force, except faults, which end with their leases.
package subscriber

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/identity"
	"github.com/grpc-sandbox/sandbox/services/governance"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Config says where the control plane is. The zero value of each field selects the default in its comment.
type Config struct {
	// Addr is the host and port of the control plane. Default: the process receives no configuration.
	Addr string
	// Namespace is the namespace of the process. Default: that of its certificate.
	Namespace string
	// ReadyWithin is how long the process waits for its policy before it is ready; it does not wait if the control plane does not exist. Default: 2s.
	ReadyWithin time.Duration
	// Options are applied last.
	Options []grpc.DialOption
	// Enforcer is what enforces the policy, if that is not governance in this process: NGINX. It decides the verdicts of the control plane.
	Enforcer string
	// Served are the methods, as package.Service/Method, on which the enforcer enforces it.
	Served []string
	// Apply is called when a policy is in force in this process, before it is acknowledged. If it fails, the last good policy is put in force again, and
	// the error is reported. Default: nothing.
	Apply func() error
}

// NGINX is the Enforcer of a gateway, whose nginx enforces the policy.
const NGINX = "nginx"

// ConfigFromEnv reads CONTROL_ADDR.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	cfg := Config{Addr: getenv("CONTROL_ADDR")}
	if cfg.Addr == "" {
		return cfg, nil
	}
	if _, _, err := net.SplitHostPort(cfg.Addr); err != nil {
		return Config{}, remedy.Errorf(remedy.Value("control.sandbox-system.svc:8443"), "reading CONTROL_ADDR: %w", err)
	}
	return cfg, nil
}

// KindFault is the kind of events about pushed faults.
const KindFault = "fault"

// Start subscribes a process to its policy. It must be called during registration; the subscription begins when the process serves and ends with
// it.
func Start(p *governance.Process, cfg Config) error {
	if cfg.Addr == "" {
		return nil
	}
	cfg.ReadyWithin = cmp.Or(cfg.ReadyWithin, 2*time.Second)
	if cfg.Namespace == "" {
		cfg.Namespace, _, _ = identity.Parse(p.Identity.Name())
	}
	if cfg.Namespace == "" {
		return remedy.New("the process has no SPIFFE identity from which to read its namespace", remedy.Advice("unset CONTROL_ADDR, or use a certificate whose URI is spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT"))
	}
	s := &subscriber{process: p, cfg: cfg, log: p.Log.With("control", cfg.Addr), faults: newFaults(), ready: p.ReadyAfter(), pushed: &policyv1.EffectivePolicy{},
		wake: make(chan struct{}, 1)}
	p.Go(s.run)
	return nil
}

type subscriber struct {
	process *governance.Process
	cfg     Config
	log     *slog.Logger
	// ready makes the process ready.
	ready func()

	// mu guards the fields below, and is held while a policy is put in force, so that policies are in order.
	mu     sync.Mutex
	faults *faults
	pushed *policyv1.EffectivePolicy
	// wake is signalled when the next end of a fault has changed.
	wake chan struct{}
}

func (s *subscriber) run(ctx context.Context) error {
	conn, err := Dial(s.process, s.cfg)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { s.becomeReady(ctx) })
	all.Go(func() {
		s.keepTrying(ctx, "receiving configuration", func(ctx context.Context) error { return s.receive(ctx, conn) })
	})
	all.Go(func() {
		s.keepTrying(ctx, "reporting events", func(ctx context.Context) error { return s.session(ctx, conn) })
	})
	all.Go(func() { s.endFaults(ctx) })
	all.Wait()
	return conn.Close()
}

// Dial connects a process to the control plane with its certificate. The caller closes the connection.
func Dial(p *governance.Process, cfg Config) (*grpc.ClientConn, error) {
	host, _, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the control plane: %w", err)
	}
	transport := insecure.NewCredentials()
	if p.Identity != nil {
		transport = credentials.NewTLS(p.Identity.ClientTLS(host))
	}
	// The dialer looks the name up for each attempt. The resolver of gRPC would wait for up to half a minute after it did not find the name.
	conn, err := grpc.NewClient("passthrough:///"+cfg.Addr, append([]grpc.DialOption{
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 3 * time.Second,
			Backoff: backoff.Config{BaseDelay: firstWait, Multiplier: 1.6, Jitter: 0.5, MaxDelay: lastWait}}),
		grpc.WithTransportCredentials(transport),
		// An idle connection would otherwise be noticed as dead only by the next event.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 3 * time.Second, PermitWithoutStream: true}),
	}, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("connecting to the control plane: %w", err)
	}
	return conn, nil
}

// becomeReady makes the process ready when it has waited long enough for its policy.
func (s *subscriber) becomeReady(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, s.cfg.ReadyWithin)
	defer cancel()
	host, _, _ := net.SplitHostPort(s.cfg.Addr)
	if _, err := net.DefaultResolver.LookupHost(wait, host); err != nil && wait.Err() == nil {
		s.log.Warn("starting with the policy of the file, because there is no control plane", "error", err)
		s.ready()
		return
	}
	<-wait.Done()
	s.mu.Lock()
	received := s.pushed.GetVersion() != ""
	s.mu.Unlock()
	if ctx.Err() == nil && !received {
		s.log.Info("ready with the policy of the file: the control plane has sent none yet")
	}
	s.ready()
}

// The wait between two attempts grows from the first to the last, with a random half, so that the processes of a cluster do not come together.
const (
	firstWait = 200 * time.Millisecond
	lastWait  = 5 * time.Second
	// wellFor is how long an attempt must have lasted for the next wait to be the first one again.
	wellFor = 10 * time.Second
)

func (s *subscriber) keepTrying(ctx context.Context, doing string, do func(context.Context) error) {
	KeepTrying(ctx, s.log, doing+": trying again, with the last good policy in force", do)
}

// KeepTrying calls do until ctx ends, with a wait that grows from attempt to attempt. Only the first failure after a success is logged as a warning.
func KeepTrying(ctx context.Context, log *slog.Logger, message string, do func(context.Context) error) {
	wait, failed := firstWait, false
	for {
		began := time.Now()
		err := do(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > wellFor {
			wait, failed = firstWait, false
		}
		level := slog.LevelWarn
		if failed {
			level = slog.LevelDebug
		}
		failed = true
		log.Log(ctx, level, message, "error", err)
		if pause.For(ctx, wait/2+rand.N(wait/2)) != nil {
			return
		}
		wait = min(2*wait, lastWait)
	}
}
