// Package charts holds the sandbox's own charts and the catalog of everything that is installed.
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

// The namespaces that releases live in.
const (
	ShopNamespace   = "shop"
	SystemNamespace = "sandbox-system"
	CertNamespace   = "cert-manager"
)

// What charts and commands agree on about certificates.
const (
	// TrustBundle is the ConfigMap, in every namespace with workloads, whose key ca.crt holds the roots that are trusted. It is mounted next to a
	// workload's certificate. `sandbox up` writes it; no chart does, because it changes with the roots and not with the release.
	TrustBundle = "sandbox-trust"
	// RootSecret is the Secret in CertNamespace with the key pair of the root, and RootIssuer the ClusterIssuer that signs with it.
	RootSecret = "sandbox-root"
	RootIssuer = "sandbox-root-ca"
	// IntermediateIssuer is the ClusterIssuer that signs every workload.
	IntermediateIssuer = "sandbox-intermediate"
	// CertificatesAt is the annotation of a pod that mounts the bundle. It says where the pod shows which certificate it serves and which roots it
	// trusts, as protocol:port. The protocols are metrics (those of services/governance), tls, and postgres (TLS after PostgreSQL's SSLRequest).
	CertificatesAt = "sandbox.dev/certificates-at"
)

// Release is one entry of the catalog.
type Release struct {
	Name      string
	Namespace string
	Chart     string         // one of our charts, or "cert-manager" for the upstream one
	Needs     []string       // releases that must be ready before this one is installed
	Images    []string       // catalog references of the images it runs
	Values    map[string]any // over the chart's own; nil for none
	FirstCall bool           // the first call waits for it
	Selector  string         // of its deployments
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

// CertManager is the name of the one chart that is not ours.
const CertManager = "cert-manager"

// targets is what the load generator may call: each service by its name, at its headless address.
func targets(services ...string) string {
	var all []string
	for _, s := range services {
		all = append(all, s+"=dns:///"+s+"-headless."+ShopNamespace+".svc:8443")
	}
	return strings.Join(all, ",")
}

// BackgroundTarget is the service that the load generator calls by itself.
const BackgroundTarget = "userservice"

// LoadTargets are the services that the load generator can call.
func LoadTargets() []string { return []string{BackgroundTarget, "orderservice"} }

// trustDomain is that of every identity the sandbox gives.
const trustDomain = "sandbox.local"

// calledBy is a policy that lets in only these services, and whoever has the command line's certificate.
func calledBy(services ...string) map[string]any {
	var allow []any
	for _, s := range append(services, "cli") {
		allow = append(allow, "spiffe://"+trustDomain+"/ns/"+ShopNamespace+"/sa/"+s)
	}
	return map[string]any{"version": "callers-1", "server": []any{map[string]any{"method": "*/*", "callers": map[string]any{"allow": allow}}}}
}

// All returns the catalog. Image references come in as functions of a service's or component's name, so that they are
// written in one place only.
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
			// What only a viewer needs must not hold up the first call.
			Name: name, Namespace: SystemNamespace, Chart: name, Needs: []string{"userservice"}, Images: []string{image(name)}, Values: map[string]any{"image": image(name)},
			Selector: "app.kubernetes.io/name=" + name,
		}
	}
	database := Release{
		// userservice serves the users it computes without it, so the first call does not wait for it.
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
				// The chart waits 5 s before it asks; a local webhook is up in one.
				"webhook": map[string]any{"readinessProbe": map[string]any{"initialDelaySeconds": 0, "periodSeconds": 1}},
			},
		},
		{Name: "pki", Namespace: ShopNamespace, Chart: "pki", Needs: []string{"cert-manager"}, FirstCall: true, Values: map[string]any{"trustDomain": trustDomain}},
		users,
		database,
		// After userservice, or its breaker would begin open: nobody to call yet.
		service("loadgen", []string{"pki", "userservice"}, map[string]any{
			// On a busy node calls must wait for the services that are measured, not for who measures them.
			"resources": map[string]any{"requests": map[string]any{"cpu": "150m"}},
			"env":       map[string]any{"TARGETS": targets(LoadTargets()...), "BACKGROUND_TARGET": BackgroundTarget},
		}),
		service("inventoryservice", []string{"postgres"}, map[string]any{"policy": calledBy("orderservice")}),
		service("paymentservice", []string{"postgres"}, map[string]any{"policy": calledBy("orderservice")}),
		service("orderservice", []string{"inventoryservice", "paymentservice"}, map[string]any{"policy": map[string]any{
			"version": "order-2",
			// More orders than two cores have time for are refused at once, and the others stay quick. Forty may always wait: a node that
			// starts a pod stands still for a third of a second.
			"shed": map[string]any{"minLimit": 40, "initialLimit": 40, "maxLimit": 200},
			"server": []any{
				map[string]any{"method": "order.v1.OrderService/Audit", "bulkhead": map[string]any{"maxConcurrent": 4}}, // reads every order there is
			},
			"client": []any{map[string]any{ // reads may be tried again; writes are repeated by the saga, under their key
				"callee": "userservice", "method": "user.v1.UserService/GetUser",
				"retry": map[string]any{"idempotent": true, "maxAttempts": 3, "codes": []any{"UNAVAILABLE"}},
			}},
		}}),
		system("prometheus"),
		system("jaeger"),
	}
}
