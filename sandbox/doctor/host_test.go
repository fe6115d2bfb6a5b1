package doctor

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing/fstest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

var (
	noon      = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errBroken = errors.New("it is broken")
)

// place is a healthy host whose parts a test can break.
type place struct {
	Host
	// The paths have no leading slash.
	files    fstest.MapFS
	programs map[string]bool
	env      map[string]string
	// The output of each command line. The name of a program stands for all its other command lines.
	said map[string]string
}

func (p *place) write(path, text string) {
	p.files[path] = &fstest.MapFile{Data: []byte(text), Mode: 0o600}
}

// healthy returns a host on which every check passes.
func healthy() *place {
	p := &place{
		files:    fstest.MapFS{},
		programs: map[string]bool{"podman": true, "runc": true, "go": true, "debootstrap": true, "tar": true},
		env:      map[string]string{"USER": "dev"},
		said:     map[string]string{"podman": "5.4.2\n", "docker": "28.0.1\n", "go": "go1.26.7\n", "go env GOPROXY": "https://modules.example.org,direct\n"},
	}
	for path, text := range map[string]string{
		"sys/fs/cgroup/cgroup.controllers":       "cpu memory",
		"sys/fs/cgroup/memory.max":               "max",
		"proc/meminfo":                           "MemTotal:       16303428 kB\nMemFree: 100 kB\nMemAvailable:   12303428 kB\n",
		"proc/filesystems":                       "nodev\tsysfs\n\text4\nnodev\toverlay\n",
		"proc/self/status":                       "Name:\tsandbox\nCapEff:\t000001ffffffffff\n",
		"proc/sys/fs/inotify/max_user_instances": "512\n",
		"proc/sys/fs/inotify/max_user_watches":   "524288\n",
		"proc/sys/net/ipv4/ip_forward":           "1\n",
		"etc/subuid":                             "dev:100000:65536\n",
		"lib/modules/6.12/modules.dep":           "",
		"var/lib/containers/storage.lock":        "",
		"home/dev/.sandbox/kubeconfig":           "",
	} {
		p.write(path, text)
	}
	p.Host = Host{
		ReadFile: func(path string) ([]byte, error) { return p.files.ReadFile(path[1:]) },
		Stat:     func(path string) (fs.FileInfo, error) { return p.files.Stat(path[1:]) },
		LookPath: func(program string) (string, error) {
			if !p.programs[program] {
				return "", errBroken
			}
			return "/usr/bin/" + program, nil
		},
		Getenv:   func(name string) string { return p.env[name] },
		Getuid:   func() int { return 0 },
		DiskFree: func(string) (uint64, error) { return 80 * gigabyte, nil },
		Nofile:   func() (uint64, error) { return 1048576, nil },
		Exec: func(_ context.Context, program string, args ...string) (string, error) {
			if out, ok := p.said[strings.Join(append([]string{program}, args...), " ")]; ok {
				return out, nil
			}
			if out, ok := p.said[program]; ok {
				return out, nil
			}
			return "", errBroken
		},
		Reach:         func(context.Context, string) error { return nil },
		Listen:        func(string) error { return nil },
		Writable:      func(string) error { return nil },
		Now:           func() time.Time { return noon },
		Engine:        "podman",
		EngineProbe:   func(context.Context) error { return nil },
		EngineStorage: func(context.Context) (string, error) { return "/var/lib/containers", nil },
		CacheDir:      "/home/dev/.cache/sandbox",
		CacheIntact:   func(context.Context) error { return nil },
		LeftBehind:    func() ([]string, error) { return nil, nil },
		Kubeconfig:    "/home/dev/.sandbox/kubeconfig",
		Registries:    []string{"https://registry.test/v2/", "https://other.test/v2/"},
		Lacking:       lacks(Lacking{"node:1", "https://registry.test/v2/", []string{"go", "debootstrap"}}, Lacking{"own:1", "", []string{"go"}}),
		Cluster:       healthyCluster(),
	}
	return p
}

func healthyCluster() *Cluster {
	return &Cluster{
		Parts: Parts{Generator: "loadgen", Metrics: "prometheus", Traces: "jaeger"},
		Nodes: func(context.Context) ([]Node, error) {
			return []Node{{Name: "sandbox-control-plane", Ready: true}}, nil
		},
		Releases: func(context.Context) ([]Release, error) { return []Release{{Name: "jaeger", Deployed: true}}, nil },
		Pods: podsAre(telemetry.Pod{Name: "userservice-1", Release: "userservice", Phase: "Running", Ready: true, Restarts: 1},
			telemetry.Pod{Name: "migrate-1", Phase: "Succeeded"}),
		Certificates: certificatesAre(Certificate{Namespace: "shop", Name: "userservice", NotBefore: noon.Add(-time.Hour),
			NotAfter: noon.Add(time.Hour), Logs: "cert-manager"}),
		Trust:    trustIs(Trust{NotAfter: noon.AddDate(9, 0, 0)}),
		Targets:  func(context.Context) (int, int, []string, error) { return 7, 7, nil, nil },
		Services: func(context.Context) ([]string, error) { return []string{"loadgen", "userservice"}, nil },
		Called:   func(context.Context) ([]string, error) { return []string{"userservice"}, nil },
		Traces:   func(context.Context, string) (int, error) { return 20, nil },
		CallRate: func(context.Context) (float64, error) { return 200, nil },
		Breakers: func(context.Context) ([]telemetry.Breaker, error) {
			return []telemetry.Breaker{{Caller: "loadgen", Callee: "userservice", State: telemetry.Closed}}, nil
		},
	}
}

func lacks(all ...Lacking) func(context.Context) ([]Lacking, error) {
	return func(context.Context) ([]Lacking, error) { return all, nil }
}

func podsAre(pods ...telemetry.Pod) func(context.Context, string) ([]telemetry.Pod, error) {
	return func(context.Context, string) ([]telemetry.Pod, error) { return pods, nil }
}

func trustIs(t Trust) func(context.Context) (Trust, error) {
	return func(context.Context) (Trust, error) { return t, nil }
}

func certificatesAre(c ...Certificate) func(context.Context) ([]Certificate, error) {
	return func(context.Context) ([]Certificate, error) { return c, nil }
}
