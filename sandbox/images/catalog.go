package images

import (
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/grpc-sandbox/sandbox/charts"
)

// The versions of all third-party software. CoreDNS, etcd and pause are those that kubeadm of this Kubernetes version requires.
const (
	KubernetesVersion  = "v1.37.2"
	ContainerdVersion  = "v2.4.2"
	EtcdTag            = "3.7.0-0"
	CoreDNSVersion     = "v1.14.6"
	PauseTag           = "3.10"
	CertManagerVersion = "v1.21.2"
	PrometheusVersion  = "v3.16.0"
	JaegerVersion      = "2.13.0"
	// Debian has only the newest 15, so the tag names no minor version.
	PostgresTag = "15-bookworm"
	// The version of bookworm.
	NGINXVersion = "1.22.1"
	// systemd of trixie does not support cgroup v1.
	DebianSuite = "bookworm"
	ServiceTag  = "dev"
)

// NodeRef is the reference of the kind node image.
const NodeRef = "docker.io/kindest/node:" + KubernetesVersion

// nodePull is the node image that this version of kind was released with. It may have another patch version of Kubernetes than the image that we
// build, because kind publishes images with its own releases and not with those of Kubernetes.
const nodePull = "docker.io/" + defaults.Image

// All returns the catalog in the order in which images are needed.
func All() []Image {
	certManager := func(part string) Image {
		ref := fmt.Sprintf("quay.io/jetstack/cert-manager-%s:%s", part, CertManagerVersion)
		return Image{
			Ref: ref, Pull: ref, Purpose: "certificates: " + part, Licence: "Apache-2.0", Stage: ForFirstCall, Typical: 2 * time.Minute,
			Recipe: Program{
				Binary:     Binary{Module: "certmanager", Package: "."},
				Entrypoint: []string{"/certmanager", part}, User: "1000",
			},
		}
	}
	first, later := services()
	return slices.Concat([]Image{
		{
			Ref: NodeRef, Pull: nodePull, Purpose: "the Kubernetes node", Licence: "Apache-2.0", Stage: ForCluster, Typical: 15 * time.Minute,
			Recipe: Node{Suite: DebianSuite, Kubernetes: KubernetesVersion},
		},
		certManager("controller"), certManager("webhook"), certManager("cainjector"),
	}, first, []Image{
		{
			Ref: "docker.io/library/postgres:" + PostgresTag, Pull: "docker.io/library/postgres:" + PostgresTag,
			Purpose: "the shop's database", Licence: "PostgreSQL", Stage: ForShop, Typical: 2 * time.Minute,
			// As in the upstream image: on SIGTERM the server would wait until every client has disconnected.
			Recipe: Debian{Suite: DebianSuite, Folder: "postgres", User: "postgres", Number: 999, Path: "/usr/lib/postgresql/15/bin", Stop: "SIGINT"},
		},
	}, later, []Image{
		service(charts.Control, "policies, faults and events", ForShop),
		service(charts.Gateway, "the agent of the gateway", ForShop),
		{
			Ref: "docker.io/library/nginx:" + NGINXVersion, Pull: "docker.io/library/nginx:" + NGINXVersion,
			Purpose: "the gateway", Licence: "BSD-2-Clause", Stage: ForShop, Typical: 2 * time.Minute,
			Recipe: Debian{Suite: DebianSuite, Folder: "nginx", User: "www-data", Number: 33, Path: "/usr/sbin", Stop: "SIGQUIT"},
		},
		{
			Ref: "docker.io/prom/prometheus:" + PrometheusVersion, Pull: "docker.io/prom/prometheus:" + PrometheusVersion,
			Purpose: "metrics", Licence: "Apache-2.0", Stage: ForViewing, Typical: 4 * time.Minute,
			Recipe: Program{
				Binary: Binary{
					Module: "prometheus", Package: "github.com/prometheus/prometheus/cmd/prometheus",
					Tags: []string{"remove_all_sd", "enable_kubernetes_sd", "enable_dns_sd"},
				},
				Entrypoint: []string{"/prometheus"}, User: "65534",
			},
		},
		{
			Ref: "docker.io/jaegertracing/jaeger:" + JaegerVersion, Pull: "docker.io/jaegertracing/jaeger:" + JaegerVersion,
			Purpose: "traces", Licence: "Apache-2.0", Stage: ForViewing, Typical: 14 * time.Minute,
			Recipe: Program{
				Binary:     Binary{Module: "jaeger", Package: "github.com/jaegertracing/jaeger/cmd/jaeger", Alone: true},
				Entrypoint: []string{"/jaeger"}, User: "10001",
			},
		},
	})
}

// services returns the images of the services that start before the database, and those that need it.
func services() (first, later []Image) {
	for _, s := range charts.Services() {
		switch {
		case s.Image != "":
			// It runs the image of another component.
		case s.NeedsDatabase():
			later = append(later, service(s.Name, s.Purpose, ForShop))
		default:
			first = append(first, service(s.Name, s.Purpose, ForFirstCall))
		}
	}
	return first, later
}

// serviceRef returns the image reference of one of the project's own programs.
func serviceRef(name string) string { return "sandbox.local/" + name + ":" + ServiceTag }

func service(name, purpose string, stage Stage) Image {
	return Image{
		Ref: serviceRef(name), Purpose: purpose, Licence: "Apache-2.0", Stage: stage, Typical: 30 * time.Second,
		Recipe: Program{
			Binary:     Binary{Package: "./cmd/" + name, Sources: []string{"internal/pause", "internal/remedy", "services", "cmd/" + name}},
			Entrypoint: []string{"/" + name}, User: "65532:65532",
		},
	}
}

// Find returns the catalog's entry for a reference.
func Find(ref string) (Image, bool) {
	for _, i := range All() {
		if i.Ref == ref {
			return i, true
		}
	}
	return Image{}, false
}
