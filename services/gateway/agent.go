package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/gateway/nginx"
	"github.com/grpc-sandbox/sandbox/services/governance"
)

// KindGateway is the kind of events about the gateway.
const KindGateway = "gateway"

// agent keeps nginx in step with everything that its configuration depends on.
type agent struct {
	cfg     Config
	process *governance.Process
	server  *nginx.Server
	log     *slog.Logger
	// lookup returns the IP addresses of a host. Tests replace it.
	lookup func(ctx context.Context, host string) ([]string, error)

	routes []nginx.Route
	// accessLog is the address to which nginx sends its access log.
	accessLog string

	// mu is held while a configuration is made and applied.
	mu sync.Mutex
	// addresses are the last known ones of each service, as host:port.
	addresses map[string][]string
	// trust is the version of the partners' authorities and revocations; 0 before the first.
	trust   int64
	version string
	// failure is the last error, which is not logged again.
	failure string
	// ready makes the process ready when nginx serves.
	ready func()
	// ctx ends with the process.
	ctx context.Context
}

// The names of files in the folder of the gateway.
const (
	authoritiesFile = "partners.crt"
	revocationsFile = "partners.crl"
	agentSocket     = "agent.sock"
)

func (a *agent) file(name string) string { return filepath.Join(a.cfg.Folder, name) }

// tls returns the path of a file of the workload's certificate.
func (a *agent) tls(name string) string { return filepath.Join(a.process.Config.TLSDir, name) }

// apply makes nginx serve the present state. Before the first authorities have arrived, there is nothing to serve.
func (a *agent) apply(why string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.applyLocked(why)
}

func (a *agent) applyLocked(why string) error {
	if a.trust == 0 || a.ctx == nil {
		return nil
	}
	material, err := digest(a.tls("tls.crt"), a.tls("tls.key"), a.tls("ca.crt"), a.file(authoritiesFile), a.file(revocationsFile))
	if err != nil {
		return fmt.Errorf("reading the certificates of the gateway: %w", err)
	}
	cfg := nginx.Config{Listen: a.cfg.Listen, Folder: a.cfg.Folder, Certificate: a.tls("tls.crt"), Key: a.tls("tls.key"), Services: a.tls("ca.crt"),
		Authorities: a.file(authoritiesFile), Revocations: a.file(revocationsFile), Agent: a.file(agentSocket), AccessLog: a.accessLog,
		Routes: a.routes, Material: material}
	for _, s := range a.cfg.Services {
		host, _, err := net.SplitHostPort(s.Address)
		if err != nil {
			return fmt.Errorf("reading the address of %s: %w", s.Name, err)
		}
		cfg.Upstreams = append(cfg.Upstreams, nginx.Upstream{Name: s.Name, ServerName: host, Addresses: a.addresses[s.Name], Methods: methods(s.Name)})
	}
	cfg.Limits = nginx.LimitsOf(a.process.Policy.Rules(), cfg.Methods())
	version, err := a.server.Apply(a.ctx, cfg)
	if err != nil {
		if err.Error() == a.failure {
			return err
		}
		a.failure = err.Error()
		a.log.Error("the last good configuration stays in force", "because", why, "error", err)
		a.process.Events.Add(governance.Event{Kind: KindGateway, Subject: "configuration", Detail: "rejected: " + err.Error(), Labels: map[string]string{"result": "rejected"}})
		return err
	}
	a.failure = ""
	if version != a.version {
		a.version = version
		a.log.Info("nginx serves a new configuration", "because", why, "version", version, "partners", a.trust)
		a.process.Events.Add(governance.Event{Kind: KindGateway, Subject: "configuration", Detail: "in force: " + why,
			Labels: map[string]string{"result": "applied", "partners": fmt.Sprint(a.trust), "version": version}})
		a.ready()
	}
	return nil
}

// digest returns the digest of the contents of files.
func digest(paths ...string) (string, error) {
	sum := sha256.New()
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n", path, len(data))
		sum.Write(data)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// watchEvery is how often the certificate and the addresses of services are checked.
const watchEvery = 2 * time.Second

// watch applies changed certificates and addresses until ctx ends.
func (a *agent) watch(ctx context.Context) error {
	a.mu.Lock()
	a.ctx = ctx
	a.mu.Unlock()
	for ctx.Err() == nil {
		why := "a certificate has changed"
		if a.resolve(ctx) {
			why = "the address of a service has changed"
		}
		// Errors are logged and reported.
		_ = a.apply(why)
		_ = pause.For(ctx, watchEvery)
	}
	return nil
}

// resolve looks the services up, and reports whether an address has changed. A service that is not found keeps its last addresses.
func (a *agent) resolve(ctx context.Context) (changed bool) {
	for _, s := range a.cfg.Services {
		host, port, err := net.SplitHostPort(s.Address)
		if err != nil {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, watchEvery)
		found, err := a.lookup(limited, host)
		cancel()
		if err != nil || len(found) == 0 {
			a.log.Debug("looking up a service", "service", s.Name, "error", err)
			continue
		}
		slices.Sort(found)
		for i, ip := range found {
			found[i] = net.JoinHostPort(ip, port)
		}
		a.mu.Lock()
		if !slices.Equal(a.addresses[s.Name], found) {
			a.addresses[s.Name], changed = found, true
		}
		a.mu.Unlock()
	}
	return changed
}

// supervise ends the process when nginx ends by itself.
func (a *agent) supervise(ctx context.Context) error {
	select {
	case err := <-a.server.Ended():
		return fmt.Errorf("nginx has ended: %w", err)
	case <-ctx.Done():
	}
	// Endpoints and DNS drop this pod first.
	_ = pause.For(context.WithoutCancel(ctx), a.process.Config.DrainDelay)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.process.Config.DrainLimit)
	defer cancel()
	if err := a.server.Stop(last); err != nil {
		return fmt.Errorf("stopping nginx: %w", err)
	}
	return nil
}
