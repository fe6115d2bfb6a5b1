package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/certs"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// pki gives package certs access to a cluster.
type pki struct{ client *kube.Client }

var errNoAuthority = remedy.Wrap(errors.New("the sandbox has no root certificate of its own: an earlier version made it, or it is not complete"), remedy.Command("up"))

func (p pki) Load(ctx context.Context) (certs.Authority, error) {
	data, version, err := p.client.Secret(ctx, charts.CertNamespace, charts.RootSecret)
	if err != nil {
		return certs.Authority{}, err
	}
	if data == nil {
		return certs.Authority{}, errNoAuthority
	}
	return certs.ParseAuthority(data, version)
}

func (p pki) Save(ctx context.Context, a *certs.Authority) (err error) {
	a.Version, err = p.client.PutSecret(ctx, charts.CertNamespace, charts.RootSecret, a.Data(), a.Version)
	return err
}

// Distribute writes the bundle into the namespaces of our releases, and into every other namespace that already has a bundle.
func (p pki) Distribute(ctx context.Context, bundle []byte) error {
	mounted, err := p.client.TrustBundles(ctx)
	if err != nil {
		return err
	}
	for _, r := range Releases() {
		if _, there := mounted[r.Namespace]; !there && r.Namespace != charts.CertNamespace {
			mounted[r.Namespace] = nil
		}
	}
	for namespace, has := range mounted {
		if string(has) == string(bundle) {
			continue
		}
		if err := p.client.SetTrustBundle(ctx, namespace, bundle); err != nil {
			return err
		}
	}
	return nil
}

// underOurRoot reports whether a certificate was issued under our root.
func underOurRoot(c kube.Certificate) bool {
	return slices.Contains([]string{charts.RootIssuer, charts.IntermediateIssuer}, c.Issuer)
}

func issued(c kube.Certificate) certs.Certificate {
	return certs.Certificate{Namespace: c.Namespace, Name: c.Name, Secret: c.Secret, Authority: c.Authority, Chain: c.Issued}
}

func (p pki) Certificates(ctx context.Context) ([]certs.Certificate, error) {
	found, err := p.client.Certificates(ctx)
	var all []certs.Certificate
	for _, c := range found {
		if underOurRoot(c) {
			all = append(all, issued(c))
		}
	}
	return all, err
}

func (p pki) Renew(ctx context.Context, c certs.Certificate) error {
	return p.client.Renew(ctx, c.Namespace, c.Name)
}

func (p pki) Pods(ctx context.Context) ([]certs.Pod, error) {
	found, err := p.client.TrustingPods(ctx)
	var all []certs.Pod
	for _, f := range found {
		all = append(all, observable(f))
	}
	return all, err
}

func observable(p kube.TrustingPod) certs.Pod {
	return certs.Pod{Namespace: p.Namespace, Name: p.Name, Running: p.Running, At: p.At}
}

func (p pki) Metrics(ctx context.Context, pod certs.Pod, port int) ([]byte, error) {
	return p.client.PodMetrics(ctx, pod.Namespace, pod.Name, port)
}

func (p pki) Dial(ctx context.Context, pod certs.Pod, port int) (net.Conn, error) {
	return p.client.DialPod(ctx, pod.Namespace, pod.Name, port)
}

// podsOf is a cluster of which only the pods of one release are observed.
type podsOf struct {
	pki
	release charts.Release
}

func (p podsOf) Pods(ctx context.Context) ([]certs.Pod, error) {
	found, err := p.client.TrustingPods(ctx)
	var all []certs.Pod
	for _, f := range found {
		if f.Namespace == p.release.Namespace && f.Release == p.release.Name {
			all = append(all, observable(f))
		}
	}
	return all, err
}

// ownSecret is the Secret with the certificate of this machine.
const ownSecret = "cli-tls"

func (p pki) own(ctx context.Context) (tls.Certificate, error) {
	return p.client.KeyPair(ctx, charts.ShopNamespace, ownSecret)
}

const (
	// spreadTimeout is long because a changed Secret or ConfigMap reaches the files of a pod only when the kubelet next syncs it: every 10 s on our
	// nodes, and every 60 to 90 s on another cluster or on a sandbox made by an earlier version.
	spreadTimeout = 5 * time.Minute
	spreadPoll    = 500 * time.Millisecond
	// renewTimeout is the timeout of each wait of RenewRelease, which waits for the pods of one release.
	renewTimeout = 2 * time.Minute
)

// rotation returns the rotation of a cluster's certificates. Its steps are recorded by rec.
func (p pki) rotation(rec *recorder) *certs.Rotation { return p.rotationAmong(p, rec) }

// rotationAmong is rotation, and observes only the pods of a cluster.
func (p pki) rotationAmong(observed certs.Cluster, rec *recorder) *certs.Rotation {
	observer := certs.Observer{Cluster: observed, Own: p.own, Now: time.Now}
	return &certs.Rotation{
		Store: p, Issuer: p, Now: time.Now, Limit: spreadTimeout, Every: spreadPoll, Step: rec.step,
		Processes: observer.Processes,
	}
}
