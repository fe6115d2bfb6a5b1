// Package charts contains the charts of the sandbox and the catalog of every release that is installed.
package charts

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

//go:embed all:pki all:control all:gateway all:postgres all:prometheus all:jaeger all:grpcservice
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
	// SSLRequest). A pod that presents its certificate at another place, too, names that after a comma: it must be the same certificate there.
	CertificatesAt = "sandbox.dev/certificates-at"
)

// Release is one entry of the catalog.
type Release struct {
	// Name is the name of the Helm release, Namespace the one that it is installed into.
	Name      string
	Namespace string
	// Chart is the name of the chart.
	Chart string
	// Upstream is where a chart comes from that is not ours; nil for ours.
	Upstream *Upstream
	// Needs are the releases that must be ready before this one is installed.
	Needs []string
	// Images are the catalog references of the images that the release runs.
	Images []string
	// Values override the chart's own values. May be nil.
	Values map[string]any
	// FirstCall is true if the first call waits for this release.
	FirstCall bool
	// Selector selects the deployments of the release; empty for one without pods.
	Selector string
	// Ready is what must be true besides ready pods with endpoints.
	Ready Readiness
	// Logs is the release whose logs say why this one is not ready. All sets it to the release itself if it has pods.
	Logs string
	// Page is the port of its web page; 0 for a release without one.
	Page int
	// PageTLS means that the page is reached over TLS, with the certificate of a partner.
	PageTLS bool
	// Target is true if scenarios may change the release: kill its pods, scale it, inject faults.
	Target bool
	// Digest is true if the chart takes the digest of the image as its value imageDigest, so that a new image under the same tag restarts the pods.
	Digest bool
	// Controllers are prefixes of the field managers under which the pods of the release change objects of other releases. Such a change is not drift.
	Controllers []string
}

// Upstream is a chart in the source of its project, a Go module.
type Upstream struct {
	// Module is the path of the module.
	Module string
	// Pinned is the folder, relative to the checkout of this project, whose go.mod pins the version of the module and go.sum its checksum.
	Pinned string
	// Folder is the folder of the chart in the module. Its last part is the name of the chart.
	Folder string
	// Version is the version of the chart, for which the module has a placeholder.
	Version string
}

// Readiness is a condition of a release that its pods do not show.
type Readiness string

// The conditions of releases.
const (
	// ReadyPods is the default: the pods are ready.
	ReadyPods Readiness = ""
	// ReadyCertificates means that callers would accept every certificate.
	ReadyCertificates Readiness = "certificates"
	// ReadyIssuing means that the API server accepts a Certificate, which needs a webhook that it trusts.
	ReadyIssuing Readiness = "issuing"
)

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

// The releases that have a part in the sandbox itself. Programs find them by these names.
const (
	// certManagerRelease issues the certificates. It is the name of the chart, too, the only one that is not ours.
	certManagerRelease = "cert-manager"
	// Control is the control plane: its release, program, image and account.
	Control = "control"
	// Gateway is the door for partners outside the cluster: its release, its agent's program and image, and its account.
	Gateway = "gateway"
	// MetricsStore and TraceStore store what the services report.
	MetricsStore = "prometheus"
	TraceStore   = "jaeger"

	databaseRelease = "postgres"
)

// trustDomain is the trust domain of every identity in the sandbox.
const trustDomain = "sandbox.local"

// All returns the catalog. The image function returns the image reference of a service or component, so that references are written in one place
// only.
func All(image func(component string) string) []Release {
	all := []Release{certManager(image), pki()}
	for _, s := range Services() {
		all = append(all, s.release(image))
	}
	all = append(all, database(image), control(image), gateway(image), viewer(MetricsStore, 9090, image), viewer(TraceStore, 16686, image))
	for i, r := range all {
		if r.Selector != "" {
			all[i].Logs = r.Name
		}
	}
	return byNeeds(all)
}

// Controllers returns the prefixes of the field managers of all releases that change objects of other releases.
func Controllers() (prefixes []string) {
	for _, r := range All(func(string) string { return "" }) {
		prefixes = append(prefixes, r.Controllers...)
	}
	return prefixes
}

// byNeeds sorts each release after those that it needs, and otherwise keeps the order. Releases in a cycle come last.
func byNeeds(all []Release) []Release {
	var sorted []Release
	placed := map[string]bool{}
	for len(all) > 0 {
		next := max(0, slices.IndexFunc(all, func(r Release) bool {
			return !slices.ContainsFunc(r.Needs, func(need string) bool { return !placed[need] })
		}))
		placed[all[next].Name] = true
		sorted = append(sorted, all[next])
		all = slices.Delete(all, next, next+1)
	}
	return sorted
}

func certManager(image func(component string) string) Release {
	return Release{
		Name: certManagerRelease, Namespace: CertNamespace, Chart: certManagerRelease, FirstCall: true, Ready: ReadyIssuing,
		Upstream: &Upstream{
			Module: "github.com/cert-manager/cert-manager", Pinned: "sandbox/images/recipes/certmanager", Folder: "deploy/charts/cert-manager",
			Version: tagOf(image("cert-manager-controller")),
		},
		Controllers: []string{"cert-manager", "cainjector"},
		Images:      []string{image("cert-manager-controller"), image("cert-manager-webhook"), image("cert-manager-cainjector")},
		Selector:    "app.kubernetes.io/instance=cert-manager",
		Values: map[string]any{
			"crds":            map[string]any{"enabled": true},
			"startupapicheck": map[string]any{"enabled": false},
			"prometheus":      map[string]any{"enabled": false},
			"global":          map[string]any{"leaderElection": map[string]any{"namespace": CertNamespace}},
			// The chart waits 5 s before its first probe, but the webhook of a local cluster is up after one second.
			"webhook": map[string]any{"readinessProbe": map[string]any{"initialDelaySeconds": 0, "periodSeconds": 1}},
		},
	}
}

// tagOf returns the tag of an image reference; empty if it has none.
func tagOf(ref string) string {
	_, tag, _ := strings.Cut(ref[strings.LastIndex(ref, "/")+1:], ":")
	return tag
}

func pki() Release {
	return Release{
		Name: "pki", Namespace: ShopNamespace, Chart: "pki", Needs: []string{certManagerRelease}, FirstCall: true, Ready: ReadyCertificates, Logs: certManagerRelease,
		Values: map[string]any{"trustDomain": trustDomain, "workloads": workloads(), "local": []any{Gateway}},
	}
}

// database returns the release of PostgreSQL. userservice serves its computed users without a database, so the first call does not wait for it.
func database(image func(component string) string) Release {
	return Release{
		Name: databaseRelease, Namespace: ShopNamespace, Chart: "postgres", Needs: []string{"pki", "userservice"}, Images: []string{image("postgres")},
		Values: map[string]any{"image": image("postgres"), "roles": roles()}, Selector: "app.kubernetes.io/name=" + databaseRelease, Target: true,
	}
}

// control returns the release of the control plane. Services serve with their own policies until it is up, so the first call does not wait for it.
func control(image func(component string) string) Release {
	return Release{
		Name: Control, Namespace: SystemNamespace, Chart: "control", Needs: []string{"pki", "userservice"}, Images: []string{image(Control)},
		Values: map[string]any{"image": image(Control), "operators": []any{identityOf(ShopNamespace, commandLine)},
			"peers": []any{identityOf(SystemNamespace, Control)}, "gateways": []any{identityOf(ShopNamespace, Gateway)}},
		Selector: "app.kubernetes.io/name=" + Control, Digest: true, Target: true,
	}
}

// GatewayPort is the port of the node at which the gateway is reached from outside the cluster.
const GatewayPort = 30443

// gateway returns the release of the gateway.
func gateway(image func(component string) string) Release {
	services := []any{}
	needs := []string{Control}
	for _, s := range Services() {
		if s.Public {
			services = append(services, s.Name+"="+s.Name+"."+ShopNamespace+".svc:8443="+s.Name+"-headless."+ShopNamespace+".svc:8443")
			needs = append(needs, s.Name)
		}
	}
	return Release{
		Name: Gateway, Namespace: ShopNamespace, Chart: "gateway", Needs: needs, Images: []string{image(Gateway), image("nginx")},
		Values:   map[string]any{"image": image(Gateway), "nginxImage": image("nginx"), "services": services, "nodePort": GatewayPort},
		Selector: "app.kubernetes.io/name=" + Gateway, Digest: true, Target: true, Page: 8443, PageTLS: true,
	}
}

// identityOf returns the identity of an account.
func identityOf(namespace, account string) string {
	return "spiffe://" + trustDomain + "/ns/" + namespace + "/sa/" + account
}

// NamespaceLabels returns the labels of a namespace of the sandbox. Faults are permitted in the shop only.
func NamespaceLabels(namespace string) map[string]string {
	labels := map[string]string{"app.kubernetes.io/part-of": "sandbox"}
	if namespace == ShopNamespace {
		labels["sandbox.dev/faults"] = "allowed"
	}
	return labels
}

// viewer returns a release that only people look at, on its page. The first call must not wait for it.
func viewer(name string, page int, image func(component string) string) Release {
	return Release{
		Name: name, Namespace: SystemNamespace, Chart: name, Needs: []string{"userservice"}, Images: []string{image(name)},
		Values: map[string]any{"image": image(name)}, Selector: "app.kubernetes.io/name=" + name, Page: page,
	}
}
