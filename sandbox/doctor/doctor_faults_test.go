package doctor

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// fault is one defect of a host, and the expected result of its check.
type fault struct {
	check string
	about string
	harm  func(p *place)
	want  Outcome
	// fix is a part of the remedy.
	fix string
}

func unreachable(url string) func(context.Context, string) error {
	return func(_ context.Context, asked string) error {
		if asked == url {
			return errBroken
		}
		return nil
	}
}

func free(bytes uint64) func(string) (uint64, error) {
	return func(string) (uint64, error) { return bytes, nil }
}

var faults = []fault{
	{"engine-present", "no engine", func(p *place) { p.Engine = "" }, Fail, "apt-get install podman"},
	{"engine-present", "no engine, and a command that installs one", func(p *place) { p.Engine, p.SetsUp = "", true }, Fail, "sandbox up --setup"},
	{"engine-present", "the chosen engine is not there", func(p *place) { p.Engine = "docker" }, Fail, "install"},
	{"engine-version", "an old engine", func(p *place) { p.said["podman"] = "3.4.4" }, Fail, "4.0 or newer"},
	{"engine-version", "a stopped daemon", func(p *place) { delete(p.said, "podman") }, Fail, "podman version"},
	{"engine-works", "no privileged containers", func(p *place) { p.EngineProbe = func(context.Context) error { return errBroken } }, Fail, "--privileged"},
	{"engine-runc", "podman on cgroup v1 without runc", func(p *place) {
		delete(p.files, "sys/fs/cgroup/cgroup.controllers")
		delete(p.programs, "runc")
	}, Fail, "apt-get install runc"},
	{"privilege", "rootless without user ids", func(p *place) {
		p.Getuid = func() int { return 1000 }
		p.write("etc/subuid", "other:100000:65536\n")
	}, Fail, "usermod --add-subuids"},
	{"privilege", "rootless on cgroup v1", func(p *place) {
		p.Getuid = func() int { return 1000 }
		delete(p.files, "sys/fs/cgroup/cgroup.controllers")
	}, Fail, "as root"},
	{"privilege", "a user without the docker daemon", func(p *place) {
		p.Engine, p.Getuid = "docker", func() int { return 1000 }
		p.EngineProbe = func(context.Context) error { return errBroken }
	}, Fail, "systemctl start docker"},
	{"cap-sys-resource", "root in a container", func(p *place) { p.write("proc/self/status", "CapEff:\t00000000a80425fb\n") }, Warn, "private configuration"},
	{"cgroup-version", "hybrid", func(p *place) {
		delete(p.files, "sys/fs/cgroup/cgroup.controllers")
		p.write("sys/fs/cgroup/unified/cgroup.procs", "")
	}, Warn, "systemd.unified_cgroup_hierarchy=1"},
	{"inotify-instances", "few", func(p *place) { p.write("proc/sys/fs/inotify/max_user_instances", "64\n") }, Fail, "sysctl -w fs.inotify.max_user_instances=512"},
	{"inotify-watches", "few", func(p *place) { p.write("proc/sys/fs/inotify/max_user_watches", "8191\n") }, Fail, "sysctl -w fs.inotify.max_user_watches=524288"},
	{"ip-forward", "off", func(p *place) { p.write("proc/sys/net/ipv4/ip_forward", "0\n") }, Fail, "sysctl -w net.ipv4.ip_forward=1"},
	{"kernel-modules", "missing, and up has no permission to create it", func(p *place) {
		delete(p.files, "lib/modules/6.12/modules.dep")
		p.Getuid = func() int { return 1000 }
	}, Fail, "mkdir -p /lib/modules"},
	{"overlayfs", "missing", func(p *place) { p.write("proc/filesystems", "\text4\n") }, Warn, "modprobe overlay"},
	{"memory-total", "3 GB", func(p *place) { p.write("proc/meminfo", "MemTotal: 3000000 kB\n") }, Fail, "4 GB or more"},
	{"memory-total", "a container that may use 2 GB", func(p *place) { p.write("sys/fs/cgroup/memory.max", "2000000000\n") }, Fail, "4 GB or more"},
	{"memory-available", "1 GB", func(p *place) {
		p.Cluster = nil
		p.write("proc/meminfo", "MemAvailable: 1000000 kB\n")
	}, Warn, "close programs, until free shows 2 GB"},
	{"memory-available", "0.4 GB next to a running sandbox", func(p *place) { p.write("proc/meminfo", "MemAvailable: 400000 kB\n") }, Warn, "close programs, until free shows 0.5 GB"},
	{"disk-cache", "full", func(p *place) { p.DiskFree = free(gigabyte / 2) }, Fail, "rm -r /home/dev/.cache/sandbox"},
	{"disk-cache", "too full for another sandbox", func(p *place) { p.Cluster, p.DiskFree = nil, free(9*gigabyte) }, Fail, "rm -r /home/dev/.cache/sandbox"},
	{"disk-cache", "unknown", func(p *place) { p.DiskFree = func(string) (uint64, error) { return 0, errBroken } }, Warn, "df -h"},
	{"disk-engine", "full", func(p *place) { p.DiskFree = free(gigabyte / 2) }, Fail, "podman system prune"},
	{"disk-engine", "the engine does not report it", func(p *place) {
		p.EngineStorage = func(context.Context) (string, error) { return "", errBroken }
	}, Warn, "podman info"},
	{"disk-engine", "the engine reports nothing", func(p *place) {
		p.EngineStorage = func(context.Context) (string, error) { return "", nil }
	}, Warn, "podman info"},
	{"open-files", "too few", func(p *place) { p.Nofile = func() (uint64, error) { return 1024, nil } }, Fail, "limits.conf"},
	{"open-files", "few", func(p *place) { p.Nofile = func() (uint64, error) { return 8192, nil } }, Warn, "limits.conf"},
	{"ports", "no loopback", func(p *place) { p.Listen = func(string) error { return errBroken } }, Fail, "ip link set lo up"},
	{"registry", "out of reach", func(p *place) { p.Reach = func(context.Context, string) error { return errBroken } }, Warn, "sandbox images list,"},
	{"registry", "the second is out of reach", func(p *place) { p.Reach = unreachable("https://other.test/v2/") }, Warn, "HTTPS_PROXY"},
	{"go-proxy", "out of reach", func(p *place) { p.Reach = func(context.Context, string) error { return errBroken } }, Warn, "GOPROXY"},
	{"go-proxy", "go does not say", func(p *place) {
		delete(p.said, "go env GOPROXY")
		delete(p.said, "go")
	}, Warn, "go env GOPROXY"},
	{"proxy-env", "a proxy for everything", func(p *place) { p.env["HTTP_PROXY"] = "http://proxy:3128" }, Warn, "export NO_PROXY=localhost,127.0.0.1,10.96.0.0/16"},
	{"proxy-env", "a proxy for some of the cluster", func(p *place) {
		p.env["https_proxy"], p.env["no_proxy"] = "http://proxy:3128", "localhost, 127.0.0.1,svc,10.96.0.0/16"
	}, Warn, "svc,10.96.0.0/16,10.244.0.0/16,.cluster.local"},
	{"proxy-env", "two proxies", func(p *place) { p.env["HTTP_PROXY"], p.env["http_proxy"] = "a", "b" }, Warn, "export http_proxy=$HTTP_PROXY"},
	{"go-toolchain", "missing, and needed", func(p *place) { delete(p.programs, "go") }, Fail, "go.dev/dl"},
	{"go-toolchain", "old", func(p *place) { p.said["go"] = "go1.22.2" }, Warn, "GOTOOLCHAIN=auto"},
	{"go-toolchain", "broken", func(p *place) { delete(p.said, "go") }, Warn, "go env GOVERSION"},
	{"go-toolchain", "missing, and whether it is needed is not known", func(p *place) {
		delete(p.programs, "go")
		p.Lacking = func(context.Context) ([]Lacking, error) { return nil, errBroken }
	}, Warn, "go.dev/dl"},
	{"debootstrap", "missing, and needed", func(p *place) {
		delete(p.programs, "debootstrap")
		p.Reach = unreachable("https://registry.test/v2/")
	}, Fail, "apt-get install debootstrap"},
	{"clock", "an empty battery", func(p *place) { p.Now = func() time.Time { return time.Unix(0, 0) } }, Fail, "timedatectl"},
	{"clock", "behind the certificates", func(p *place) { p.Now = func() time.Time { return noon.Add(-2 * time.Hour) } }, Fail, "timedatectl"},
	{"cache-writable", "another user's", func(p *place) { p.Writable = func(string) error { return errBroken } }, Fail, "chown"},
	{"cache-intact", "damaged", func(p *place) { p.CacheIntact = func(context.Context) error { return errBroken } }, Fail, "rm -r /home/dev/.cache/sandbox"},
	{"sandbox-opens", "a damaged kubeconfig", func(p *place) { p.Cluster, p.Damage = nil, errBroken }, Fail, "sandbox up"},
	{"sandbox-opens", "damage that up does not repair", func(p *place) {
		p.Cluster, p.Damage = nil, remedy.New("reading the state", remedy.Command("down"))
	}, Fail, "sandbox down, then sandbox up"},
	{"runs-undone", "a killed run left something", func(p *place) {
		p.LeftBehind = func() ([]string, error) { return []string{"scale userservice from 3 to 0"}, nil }
	}, Warn, "sandbox undo"},
	{"runs-undone", "an unreadable journal", func(p *place) { p.LeftBehind = func() ([]string, error) { return nil, errBroken } }, Fail, "sandbox undo"},
	{"kubeconfig-mode", "open to all", func(p *place) { p.files["home/dev/.sandbox/kubeconfig"].Mode = 0o644 }, Fail, "chmod 600 /home/dev/.sandbox/kubeconfig"},
	{"node-ready", "not ready", func(p *place) {
		p.Cluster.Nodes = func(context.Context) ([]Node, error) { return []Node{{Name: "n", Why: "no CNI"}}, nil }
	}, Fail, "kubectl describe node n"},
	{"node-ready", "none", func(p *place) { p.Cluster.Nodes = func(context.Context) ([]Node, error) { return nil, nil } }, Fail, "sandbox up"},
	{"node-ready", "no answer", func(p *place) { p.Cluster.Nodes = func(context.Context) ([]Node, error) { return nil, errBroken } }, Fail, "sandbox status"},
	{"kube-system", "a pending pod", func(p *place) { p.Cluster.Pods = podsAre(telemetry.Pod{Name: "coredns-1", Phase: "Pending"}) }, Fail, "-n kube-system describe pod coredns-1"},
	{"kube-system", "no pods", func(p *place) { p.Cluster.Pods = podsAre() }, Fail, "sandbox up"},
	{"releases-deployed", "half installed", func(p *place) {
		p.Cluster.Releases = func(context.Context) ([]Release, error) {
			return []Release{{Name: "a", Deployed: true}, {Name: "b", Why: "timed out"}}, nil
		}
	}, Fail, "continues"},
	{"releases-deployed", "nothing installed", func(p *place) { p.Cluster.Releases = func(context.Context) ([]Release, error) { return nil, nil } }, Fail, "sandbox up"},
	{"pods-ready", "a crashing pod", func(p *place) {
		p.Cluster.Pods = podsAre(telemetry.Pod{Name: "userservice-1", Release: "userservice", Phase: "CrashLoopBackOff"})
	}, Fail, "sandbox logs userservice"},
	{"pod-restarts", "many", func(p *place) {
		p.Cluster.Pods = podsAre(telemetry.Pod{Name: "u-1", Release: "userservice", Ready: true, Restarts: 9})
	}, Warn, "sandbox logs userservice"},
	{"pod-restarts", "many of a pod of no release", func(p *place) {
		p.Cluster.Pods = podsAre(telemetry.Pod{Name: "coredns-1", Namespace: "kube-system", Ready: true, Restarts: 9})
	}, Warn, "KUBECONFIG=/home/dev/.sandbox/kubeconfig kubectl -n kube-system logs coredns-1"},
	{"certificates-ready", "under an untrusted root", func(p *place) {
		p.Cluster.Certificates = certificatesAre(Certificate{Namespace: "shop", Name: "u", Why: "not issued under a trusted root"})
	}, Fail, "sandbox certs renew shop/u"},
	{"trust-bundle", "stale", func(p *place) {
		p.Cluster.Trust = trustIs(Trust{Stale: []string{"shop"}, NotAfter: noon.AddDate(9, 0, 0)})
	}, Fail, "sandbox up"},
	{"trust-bundle", "interrupted", func(p *place) {
		p.Cluster.Trust = trustIs(Trust{Unfinished: "switching", NotAfter: noon.AddDate(9, 0, 0)})
	}, Warn, "sandbox certs rotate-root"},
	{"trust-bundle", "about to expire", func(p *place) { p.Cluster.Trust = trustIs(Trust{NotAfter: noon.AddDate(0, 0, 20)}) }, Warn, "sandbox certs rotate-root"},
	{"trust-bundle", "expired", func(p *place) { p.Cluster.Trust = trustIs(Trust{NotAfter: noon}) }, Fail, "sandbox certs rotate-root"},
	{"certificates-ready", "none", func(p *place) { p.Cluster.Certificates = certificatesAre() }, Fail, "sandbox up"},
	{"certificates-expiry", "expired", func(p *place) { p.Now = func() time.Time { return noon.Add(2 * time.Hour) } }, Fail, "sandbox certs renew shop/userservice"},
	{"certificates-expiry", "about to expire", func(p *place) { p.Now = func() time.Time { return noon.Add(56 * time.Minute) } }, Warn, "cert-manager"},
	{"targets-up", "one down", func(p *place) {
		p.Cluster.Targets = func(context.Context) (int, int, []string, error) { return 1, 2, []string{"shop: refused"}, nil }
	}, Fail, "sandbox status"},
	{"targets-up", "none", func(p *place) {
		p.Cluster.Targets = func(context.Context) (int, int, []string, error) { return 0, 0, nil, nil }
	}, Fail, "labels"},
	{"loadgen-calling", "silent", func(p *place) { p.Cluster.CallRate = func(context.Context) (float64, error) { return 0, nil } }, Fail, "sandbox logs loadgen"},
	{"loadgen-calling", "never called", func(p *place) { p.Cluster.CallRate = func(context.Context) (float64, error) { return math.NaN(), nil } }, Fail, "sandbox logs loadgen"},
	{"traces-services", "loadgen is not among them", func(p *place) { p.Cluster.Services = func(context.Context) ([]string, error) { return nil, nil } }, Warn, "sandbox logs loadgen"},
	{"traces-services", "one that is called is not among them", func(p *place) {
		p.Cluster.Called = func(context.Context) ([]string, error) { return []string{"userservice", "orderservice"}, nil }
	}, Warn, "sandbox logs orderservice"},
	{"traces-services", "the called services are not known", func(p *place) {
		p.Cluster.Called = func(context.Context) ([]string, error) { return nil, errBroken }
	}, Fail, "sandbox logs prometheus"},
	{"traces-arriving", "none", func(p *place) { p.Cluster.Traces = func(context.Context, string) (int, error) { return 0, nil } }, Warn, "sandbox doctor again"},
	{"breakers-closed", "none is known", func(p *place) {
		p.Cluster.Breakers = func(context.Context) ([]telemetry.Breaker, error) { return nil, nil }
	}, Warn, "sandbox doctor again"},
	{"breakers-closed", "one open", func(p *place) {
		p.Cluster.Breakers = func(context.Context) ([]telemetry.Breaker, error) {
			return []telemetry.Breaker{{Caller: "a", Callee: "b", Method: "M", State: telemetry.Open}}, nil
		}
	}, Warn, "sandbox watch"},
}

// TestRun_ClusterDoesNotAnswer makes every query to the cluster fail.
func TestRun_ClusterDoesNotAnswer(t *testing.T) {
	p := healthy()
	p.Cluster = &Cluster{
		Nodes:        func(context.Context) ([]Node, error) { return nil, errBroken },
		Releases:     func(context.Context) ([]Release, error) { return nil, errBroken },
		Pods:         func(context.Context, string) ([]telemetry.Pod, error) { return nil, errBroken },
		Certificates: func(context.Context) ([]Certificate, error) { return nil, errBroken },
		Trust:        func(context.Context) (Trust, error) { return Trust{}, errBroken },
		Targets:      func(context.Context) (int, int, []string, error) { return 0, 0, nil, errBroken },
		Services:     func(context.Context) ([]string, error) { return nil, errBroken },
		Called:       func(context.Context) ([]string, error) { return nil, errBroken },
		Traces:       func(context.Context, string) (int, error) { return 0, errBroken },
		CallRate:     func(context.Context) (float64, error) { return 0, errBroken },
		Breakers:     func(context.Context) ([]telemetry.Breaker, error) { return nil, errBroken },
	}
	for _, r := range Run(t.Context(), p.Host, nil) {
		ofCluster := r.Category == cluster || r.Category == platform || r.Category == certificates && r.ID != "clock"
		if ofCluster && (r.Outcome != Fail || r.Fix.IsZero()) {
			t.Errorf("%s: %s %q, fix %q; want fail with a fix", r.ID, r.Outcome, r.Message, r.Fix.Text(nil))
		}
	}
}
