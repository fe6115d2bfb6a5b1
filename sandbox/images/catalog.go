package images

import (
	"fmt"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
)

// The versions of everything that is not ours. CoreDNS, etcd and pause are what kubeadm of this Kubernetes asks for.
const (
	KubernetesVersion  = "v1.37.2"
	ContainerdVersion  = "v2.4.2"
	EtcdTag            = "3.7.0-0"
	CoreDNSVersion     = "v1.14.6"
	PauseTag           = "3.10"
	CertManagerVersion = "v1.21.2"
	PrometheusVersion  = "v3.16.0"
	JaegerVersion      = "2.13.0"
	PostgresTag        = "15-bookworm" // Debian has no older 15 than its newest, so neither does the tag
	DebianSuite        = "bookworm"    // trixie's systemd refuses cgroup v1
	ServiceTag         = "dev"
)

// NodeRef is the image a kind node is made from.
const NodeRef = "docker.io/kindest/node:" + KubernetesVersion

// nodePull is the node image that this version of kind was released with. It may have another patch of Kubernetes than what we build: kind
// publishes its images with its own releases, and not with those of Kubernetes.
const nodePull = "docker.io/" + defaults.Image

// All returns the catalog in order of need.
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
	return []Image{
		{
			Ref: NodeRef, Pull: nodePull, Purpose: "the Kubernetes node", Licence: "Apache-2.0", Stage: ForCluster, Typical: 15 * time.Minute,
			Recipe: Node{Suite: DebianSuite, Kubernetes: KubernetesVersion},
		},
		certManager("controller"), certManager("webhook"), certManager("cainjector"),
		service("userservice", "users and chat over gRPC", ForFirstCall),
		service("loadgen", "load on the other services", ForFirstCall),
		{
			Ref: "docker.io/library/postgres:" + PostgresTag, Pull: "docker.io/library/postgres:" + PostgresTag,
			Purpose: "the shop's database", Licence: "PostgreSQL", Stage: ForShop, Typical: 2 * time.Minute,
			// As in the upstream image: at SIGTERM the server would wait until every client is gone.
			Recipe: Debian{Suite: DebianSuite, Folder: "postgres", User: "postgres", Number: 999, Path: "/usr/lib/postgresql/15/bin", Stop: "SIGINT"},
		},
		service("inventoryservice", "stock and its reservation", ForShop),
		service("paymentservice", "payments for orders", ForShop),
		service("orderservice", "orders, a saga over the others", ForShop),
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
	}
}

// ServiceRef is the image name of one of the project's own programs.
func ServiceRef(name string) string { return "sandbox.local/" + name + ":" + ServiceTag }

func service(name, purpose string, stage Stage) Image {
	return Image{
		Ref: ServiceRef(name), Purpose: purpose, Licence: "Apache-2.0", Stage: stage, Typical: 30 * time.Second,
		Recipe: Program{
			Binary:     Binary{Package: "./cmd/" + name, Sources: []string{"internal/remedy", "services", "cmd/" + name}},
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
