package governance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// shutdownLimit bounds each of the last steps: sending the last spans and ending the last scrape.
const shutdownLimit = 2 * time.Second

// Run serves what register registers until ctx ends, and then drains. Logs are written to w. It returns nil after a clean drain.
func Run(ctx context.Context, w io.Writer, cfg Config, register func(*Process, *grpc.Server) error) (err error) {
	defer cfg.Listeners.close()
	p, err := newProcess(ctx, w, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	return p.serve(register)
}

// Start prepares a program that only calls others, such as a command-line tool or a job: it has no server, and no work to register. Logs are written
// to w. Certificate and policy are followed until Close is called, which also closes the connections that Process.Dial has made.
func Start(ctx context.Context, w io.Writer, cfg Config) (*Process, error) {
	// The program calls Close when it needs its connections no more, maybe after ctx has ended.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p, err := newProcess(ctx, w, cfg)
	if err != nil {
		stop()
		return nil, err
	}
	p.stop = stop
	// Which services it will call is not known yet.
	p.watchFiles(policy.Known{Called: linkedMethods().all})
	p.startWork()
	return p, nil
}

// Close ends a process that Start has made.
func (p *Process) Close() error {
	p.stop()
	return errors.Join(p.group.Wait(), p.close())
}

func newProcess(ctx context.Context, w io.Writer, cfg Config) (*Process, error) {
	cfg = cfg.withDefaults()
	log := NewLog(w, cfg.LogLevel).With("service", cfg.Service, "pod", cfg.Pod)
	group, groupCtx := errgroup.WithContext(ctx)
	metrics, err := NewMetricsWith(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	p := &Process{Config: cfg, Log: log, Metrics: metrics, Events: NewEvents(0), Stopping: groupCtx.Done(), ctx: groupCtx, group: group}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *Process) prepare(ctx context.Context) (err error) {
	cfg, log := p.Config, p.Log
	if cfg.Metrics.Registerer != nil {
		p.closes = append(p.closes, func() error {
			p.Metrics.unregister()
			return nil
		})
	}
	p.Breakers = NewBreakers(cfg.Service, BreakerConfig{MaxConcurrent: cfg.MaxConcurrent}, p.Metrics, p.Events)
	p.Breakers.Log = log
	if cfg.TLSDir != "off" {
		p.Identity, err = NewIdentity(IdentityConfig{Dir: cfg.TLSDir, Log: log, Metrics: p.Metrics, Events: p.Events})
		if err != nil {
			return remedy.Wrap(err, remedy.Advice("mount the certificate's Secret there, or TLS_DIR=off for plaintext"))
		}
	}
	if err := p.readPolicy(); err != nil {
		return err
	}
	if p.Tracing = cfg.Tracing; p.Tracing != nil {
		return nil
	}
	tracing, err := NewTracing(ctx, TracingConfig{Service: cfg.Service, Pod: cfg.Pod, Endpoint: cfg.OTLPEndpoint, Identity: p.Identity, Ratio: max(0, cfg.TraceRatio), Log: log})
	if err != nil {
		return err
	}
	p.Tracing = tracing
	p.closes = append(p.closes, func() error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
		defer cancel()
		if err := tracing.Shutdown(last); err != nil {
			log.Debug("sending the last traces", "error", err)
		}
		return nil
	})
	return nil
}

// watchFiles makes the process follow its certificate and its policy.
func (p *Process) watchFiles(known policy.Known) {
	if p.Identity != nil {
		p.Go(p.Identity.Watch)
	}
	p.Policy.Know(known)
	if p.policyFile != nil {
		p.Go(p.policyFile.Watch)
	}
}

func (p *Process) startWork() {
	for _, work := range p.work {
		p.group.Go(func() error { return work(p.ctx) })
	}
}

// readPolicy fails if the policy is malformed, because it would be unclear which policy is in force.
func (p *Process) readPolicy() error {
	p.Policy = &policy.Policy{}
	p.Policy.In(p.Config.Pod)
	p.Policy.Exempt(p.Config.Control...)
	ObservePolicy(p.Policy, "policy", p.Metrics, p.Events, p.Log)
	if p.Config.PolicyFile == "" {
		return nil
	}
	p.policyFile = &policy.File{Path: p.Config.PolicyFile, Policy: p.Policy}
	if err := p.policyFile.Load(); err != nil {
		return remedy.Wrap(err, remedy.Advice("fix the file, or unset POLICY_FILE for the defaults"))
	}
	return nil
}

// servedMethods returns the methods of a server, as package.Service/Method, with their kinds.
func servedMethods(s *grpc.Server) map[string]string {
	kinds := map[string]string{}
	for service, info := range s.GetServiceInfo() {
		for _, m := range info.Methods {
			kinds[service+"/"+m.Name] = callKind(m.IsClientStream, m.IsServerStream)
		}
	}
	return kinds
}

func (p *Process) serve(register func(*Process, *grpc.Server) error) (err error) {
	cfg := p.Config
	listeners, err := cfg.listen()
	if err != nil {
		return err
	}
	// If the program fails before it serves, nothing else closes them.
	defer listeners.close()
	probe := health.NewServer()
	server, governed := governedServer(ServerConfig{Pod: cfg.Pod, Identity: p.Identity, Policy: p.Policy, MaxAge: cfg.MaxConnectionAge, MaxAgeGrace: cfg.MaxConnectionGrace,
		Health: probe, Metrics: p.Metrics, Events: p.Events, Tracing: p.Tracing, Log: p.Log, Gateways: cfg.Gateways, NoReflection: cfg.NoReflection, Tap: cfg.Tap, Options: cfg.Options})
	healthServer := HealthServer(probe)
	scrape := &http.Server{Handler: MetricsHandler(p.Metrics), ReadHeaderTimeout: 5 * time.Second}
	if err := register(p, server); err != nil {
		server.Stop()
		return err
	}
	p.readiness.serve(probe, slices.Collect(maps.Keys(server.GetServiceInfo())))

	p.watchFiles(policy.Known{Served: slices.Sorted(maps.Keys(servedMethods(server))), Called: linkedMethods().all, Callees: append([]string{}, p.Callees()...)})
	p.startWork()
	p.group.Go(func() error { return annotate("serving", unlessStopped(server.Serve(listeners.Service))) })
	if listeners.Health != nil {
		p.group.Go(func() error { return annotate("serving health", unlessStopped(healthServer.Serve(listeners.Health))) })
	}
	if listeners.Metrics != nil {
		p.group.Go(func() error {
			if err := scrape.Serve(listeners.Metrics); !errors.Is(err, http.ErrServerClosed) {
				return annotate("serving metrics", err)
			}
			return nil
		})
	}
	p.group.Go(func() error {
		<-p.ctx.Done()
		p.Log.Info("draining", "delay", max(0, cfg.DrainDelay).String(), "limit", limitText(cfg.DrainLimit))
		p.Events.Add(Event{Kind: KindLifecycle, Subject: cfg.Service, Detail: "draining"})
		if !Drain(context.WithoutCancel(p.ctx), server, probe, cfg.DrainDelay, cfg.DrainLimit) {
			p.Log.Error("ending with calls in flight, whose handlers ignore their contexts", "methods", governed.running())
		}
		healthServer.Stop()
		last, cancel := context.WithTimeout(context.WithoutCancel(p.ctx), shutdownLimit)
		defer cancel()
		return annotate("stopping metrics", scrape.Shutdown(last))
	})
	at := listeners.addresses()
	p.Log.Info("serving", "address", at.Service, "health", at.Health, "metrics", at.Metrics)
	p.Events.Add(Event{Kind: KindLifecycle, Subject: cfg.Service, Detail: "serving"})
	if cfg.Ready != nil {
		cfg.Ready(at)
	}
	return p.group.Wait()
}

func limitText(d time.Duration) string {
	if d < 0 {
		return off
	}
	return d.String()
}

// unlessStopped returns the error of a server. A program that is asked to stop at its start may stop a server before it serves, which is no error.
func unlessStopped(err error) error {
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

func annotate(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (p *Process) close() error {
	p.mu.Lock()
	closes := p.closes
	p.mu.Unlock()
	var all []error
	for _, c := range slices.Backward(closes) {
		all = append(all, c())
	}
	return errors.Join(all...)
}

// MetricsHandler serves /metrics in the OpenMetrics format, because only that has exemplars.
func MetricsHandler(m *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Gatherer, promhttp.HandlerOpts{EnableOpenMetrics: true, Registry: m.Registerer}))
	return mux
}
