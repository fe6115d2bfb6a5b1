// Package charts contains the charts of the sandbox and the catalog of every release that is installed.
package charts

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

//go:embed all:pki all:postgres all:prometheus all:jaeger all:grpcservice
var files embed.FS

// The namespaces of the releases.
const (
	ShopNamespace   = "shop"
	SystemNamespace = "sandbox-system"
	CertNamespace   = "cert-manager"
)

// The names about certificates that charts and commands share.
const (
	// TrustBundle is the ConfigMap, in every namespace with workloads, whose key ca.crt contains the trusted roots. It is mounted next to a workload's
	// certificate. `sandbox up` writes it instead of a chart, because it changes with the roots and not with a release.
	TrustBundle = "sandbox-trust"
	// RootSecret is the Secret in CertNamespace with the key pair of the root. RootIssuer is the ClusterIssuer that signs with it.
	RootSecret = "sandbox-root"
	RootIssuer = "sandbox-root-ca"
	// IntermediateIssuer is the ClusterIssuer that signs the certificates of all workloads.
	IntermediateIssuer = "sandbox-intermediate"
	// CertificatesAt is the annotation of a pod that mounts the trust bundle. Its value says where the pod shows the certificate it serves and the
	// roots it trusts, as protocol:port. The protocols are metrics (those of services/governance), tls, and postgres (TLS after PostgreSQL's
	// SSLRequest).
	CertificatesAt = "sandbox.dev/certificates-at"
)

// Release is one entry of the catalog.
type Release struct {
	Name      string
	Namespace string
	// Chart is one of our charts, or "cert-manager" for the upstream chart.
	Chart string
	// Needs are the releases that must be ready before this one is installed.
	Needs []string
	// Images are the catalog references of the images that the release runs.
	Images []string
	// Values override the chart's own values. May be nil.
	Values map[string]any
	// FirstCall is true if the first call waits for this release.
	FirstCall bool
	// Selector selects the deployments of the release.
	Selector string
}

// Load returns one of our charts.
func Load(name string) (*chart.Chart, error) {
	var loaded []*loader.BufferedFile
	err := fs.WalkDir(files, name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := files.ReadFile(path)
		loaded = append(loaded, &loader.BufferedFile{Name: strings.TrimPrefix(path, name+"/"), Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("loading chart %s: %w", name, err)
	}
	c, err := loader.LoadFiles(loaded)
	if err != nil {
		return nil, fmt.Errorf("loading chart %s: %w", name, err)
	}
	return c, nil
}

// CertManager is the name of the only chart that is not ours.
const CertManager = "cert-manager"

// targets returns the value of TARGETS: each service that the load generator may call, with its headless address.
func targets(services ...string) string {
	var all []string
	for _, s := range services {
		all = append(all, s+"=dns:///"+s+"-headless."+ShopNamespace+".svc:8443")
	}
	return strings.Join(all, ",")
}

// BackgroundTarget is the service that the load generator calls by itself.
const BackgroundTarget = "userservice"

// LoadTargets returns the services that the load generator can call.
func LoadTargets() []string { return []string{BackgroundTarget, "orderservice"} }

// trustDomain is the trust domain of every identity in the sandbox.
const trustDomain = "sandbox.local"

// calledBy returns a policy that admits only these services and callers with the command line's certificate.
func calledBy(services ...string) map[string]any {
	var allow []any
	for _, s := range append(services, "cli") {
		allow = append(allow, "spiffe://"+trustDomain+"/ns/"+ShopNamespace+"/sa/"+s)
	}
	return map[string]any{"version": "callers-1", "server": []any{map[string]any{"method": "*/*", "callers": map[string]any{"allow": allow}}}}
}

// All returns the catalog. The image function returns the image reference of a service or component, so that references are written in one place
// only.
func All(image func(component string) string) []Release {
	service := func(name string, needs []string, values map[string]any) Release {
		values["image"] = image(name)
		return Release{
			Name: name, Namespace: ShopNamespace, Chart: "grpcservice", Needs: needs, Images: []string{image(name)}, Values: values,
			Selector: "app.kubernetes.io/name=" + name,
		}
	}
	system := func(name string) Release {
		return Release{
			// The first call must not wait for a release that only viewers need.
			Name: name, Namespace: SystemNamespace, Chart: name, Needs: []string{"userservice"}, Images: []string{image(name)}, Values: map[string]any{"image": image(name)},
			Selector: "app.kubernetes.io/name=" + name,
		}
	}
	database := Release{
		// userservice serves its computed users without a database, so the first call does not wait for it.
		Name: "postgres", Namespace: ShopNamespace, Chart: "postgres", Needs: []string{"pki", "userservice"}, Images: []string{image("postgres")},
		Values: map[string]any{"image": image("postgres")}, Selector: "app.kubernetes.io/name=postgres",
	}
	certParts := []string{image("cert-manager-controller"), image("cert-manager-webhook"), image("cert-manager-cainjector")}
	// The first call goes to userservice.
	users := service("userservice", []string{"pki"}, map[string]any{"replicas": 3, "minAvailable": 2})
	users.FirstCall = true
	return []Release{
		{
			Name: "cert-manager", Namespace: CertNamespace, Chart: CertManager, Images: certParts, FirstCall: true,
			Selector: "app.kubernetes.io/instance=cert-manager",
			Values: map[string]any{
				"crds":            map[string]any{"enabled": true},
				"startupapicheck": map[string]any{"enabled": false},
				"prometheus":      map[string]any{"enabled": false},
				"global":          map[string]any{"leaderElection": map[string]any{"namespace": CertNamespace}},
				// The chart waits 5 s before its first probe, but the webhook of a local cluster is up after one second.
				"webhook": map[string]any{"readinessProbe": map[string]any{"initialDelaySeconds": 0, "periodSeconds": 1}},
			},
		},
		{Name: "pki", Namespace: ShopNamespace, Chart: "pki", Needs: []string{"cert-manager"}, FirstCall: true, Values: map[string]any{"trustDomain": trustDomain}},
		users,
		database,
		// loadgen starts after userservice. Otherwise its calls would fail and its breaker would open.
		service("loadgen", []string{"pki", "userservice"}, map[string]any{
			// On a busy node the services under test get CPU before the load generator.
			"resources": map[string]any{"requests": map[string]any{"cpu": "150m"}},
			"env":       map[string]any{"TARGETS": targets(LoadTargets()...), "BACKGROUND_TARGET": BackgroundTarget},
		}),
		service("inventoryservice", []string{"postgres"}, map[string]any{"policy": calledBy("orderservice")}),
		service("paymentservice", []string{"postgres"}, map[string]any{"policy": calledBy("orderservice")}),
		service("orderservice", []string{"inventoryservice", "paymentservice"}, map[string]any{"policy": map[string]any{
			"version": "order-2",
			// Orders beyond the capacity of two cores are refused immediately, and the others stay fast. The limit is at least 40, because a node that
			// starts a pod stalls for up to a third of a second.
			"shed": map[string]any{"minLimit": 40, "initialLimit": 40, "maxLimit": 200},
			"server": []any{
				// Audit reads every order.
				map[string]any{"method": "order.v1.OrderService/Audit", "bulkhead": map[string]any{"maxConcurrent": 4}},
			},
			// Reads may be retried. Writes are repeated by the saga, with their idempotency key.
			"client": []any{map[string]any{
				"callee": "userservice", "method": "user.v1.UserService/GetUser",
				"retry": map[string]any{"idempotent": true, "maxAttempts": 3, "codes": []any{"UNAVAILABLE"}},
			}},
		}}),
		system("prometheus"),
		system("jaeger"),
	}
}
