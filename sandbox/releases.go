package sandbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/release"
)

const (
	readyTimeout = 4 * time.Minute
	readyPoll    = 200 * time.Millisecond
)

// imageOf returns the image reference of a component, found by the last part of the repository's name.
func imageOf(component string) string {
	for _, i := range images.All() {
		repository, _, _ := strings.Cut(i.Ref[strings.LastIndex(i.Ref, "/")+1:], ":")
		if repository == component {
			return i.Ref
		}
	}
	return ""
}

// Releases returns the catalog of releases with the images of this sandbox.
func Releases() []charts.Release { return charts.All(imageOf) }

// installReleases installs all releases with as much parallelism as their needs allow, and makes the first call as soon as possible.
func (u *up) installReleases(ctx context.Context, _ func(string)) error {
	all := Releases()
	if err := u.ensureNamespaces(ctx, all); err != nil {
		return err
	}
	if err := u.rec.step(ctx, "trust", u.ensureTrust); err != nil {
		return err
	}
	var nodes []release.Node
	var beforeFirst []string
	for _, r := range all {
		nodes = append(nodes, release.Node{Name: r.Name, Needs: r.Needs, Do: func(ctx context.Context) error {
			return u.rec.step(ctx, r.Name, func(ctx context.Context, doing func(string)) error { return u.installRelease(ctx, r, doing) })
		}})
		if r.FirstCall {
			beforeFirst = append(beforeFirst, r.Name)
			u.applying.Add(1)
		}
	}
	if u.o.FirstCall != nil {
		nodes = append(nodes, release.Node{Name: "first call", Needs: beforeFirst, Do: func(ctx context.Context) error {
			return u.rec.step(ctx, "first call", u.firstCall)
		}})
	}
	if u.o.LoadCall != nil {
		nodes = append(nodes, release.Node{Name: "load generator", Needs: []string{charts.LoadGenerator}, Do: func(ctx context.Context) error {
			return u.rec.step(ctx, "load generator", func(ctx context.Context, _ func(string)) error {
				return u.rec.waiting(func() error { return u.o.LoadCall(ctx, u.client) })
			})
		}})
	}
	if err := release.InOrder(ctx, nodes); err != nil {
		return err
	}
	return u.finishRotation(ctx)
}

func (u *up) ensureNamespaces(ctx context.Context, all []charts.Release) error {
	var made []string
	for _, r := range all {
		if slices.Contains(made, r.Namespace) {
			continue
		}
		made = append(made, r.Namespace)
		if err := u.client.EnsureNamespace(ctx, r.Namespace, charts.NamespaceLabels(r.Namespace)); err != nil {
			return err
		}
	}
	return nil
}

func (u *up) firstCall(ctx context.Context, _ func(string)) error {
	if err := u.o.FirstCall(ctx, u.client); err != nil {
		return err
	}
	u.rec.mu.Lock()
	defer u.rec.mu.Unlock()
	u.result.First = time.Since(u.rec.start)
	return nil
}

func (u *up) installRelease(ctx context.Context, r charts.Release, doing func(string)) error {
	values := map[string]any{}
	for k, v := range r.Values {
		values[k] = v
	}
	var digests []string
	for _, ref := range r.Images {
		doing("waiting for image " + ref)
		digest, err := u.loader.load(ctx, ref)
		if err != nil {
			return err
		}
		digests = append(digests, digest)
	}
	if r.Digest {
		// The tag does not change when an image is rebuilt. The digest does, which restarts the pods.
		values["imageDigest"] = strings.Join(digests, "+")
	}
	c, err := u.chart(ctx, r)
	if err != nil {
		return err
	}
	doing("installing")
	outcome, err := release.Apply(ctx, u.cluster.Kubeconfig, release.Spec{Name: r.Name, Namespace: r.Namespace, Chart: c, Values: values, Held: u.o.Held})
	if err != nil {
		return err
	}
	if outcome == release.Repaired || outcome == release.Upgraded {
		u.rec.note(r.Name, string(outcome))
	}
	// Starting earlier would delay the first call on a machine with few cores.
	if r.FirstCall && u.applying.Add(-1) == 0 {
		u.loader.startRest(ctx)
	}
	doing("waiting until it is ready")
	if r.Ready == charts.ReadyCertificates {
		return u.rec.waiting(func() error { return u.awaitCertificates(ctx, r) })
	}
	return u.rec.waiting(func() error { return waitReady(ctx, u.client, r) })
}

func (u *up) chart(ctx context.Context, r charts.Release) (*chart.Chart, error) {
	if r.Upstream != nil {
		return release.UpstreamChart(ctx, u.o.Folders.Cache, u.o.SourceTree, *r.Upstream)
	}
	return charts.Load(r.Chart)
}

// waitReady waits until a release is ready. After a timeout the error contains the reason.
func waitReady(ctx context.Context, c *kube.Client, r charts.Release) error {
	var why string
	err := pause.UntilWithin(ctx, readyPoll, readyTimeout, func(ctx context.Context) (bool, error) {
		now, err := NotReadyReason(ctx, c, r)
		switch {
		case err == nil:
			why = now
		// Keep an earlier reason if this call was cut off by the timeout.
		case why == "":
			why = err.Error()
		}
		return err == nil && now == "", nil
	})
	if err == nil {
		return nil
	}
	if why == "" || ctx.Err() != nil {
		return fmt.Errorf("waiting for %s: %w", r.Name, err)
	}
	return remedy.Wrap(fmt.Errorf("waiting for %s: %w", r.Name, errors.New(why)), remedy.Command("logs", r.Logs))
}

// NotReadyReason returns why a release is not ready. It is empty for a release that is ready.
func NotReadyReason(ctx context.Context, c *kube.Client, r charts.Release) (string, error) {
	if r.Selector != "" {
		if why, err := notReadyPods(ctx, c, r); err != nil || why != "" {
			return why, err
		}
	}
	switch r.Ready {
	case charts.ReadyCertificates:
		return unusableCertificate(ctx, c)
	case charts.ReadyIssuing:
		if err := c.CanIssue(ctx); err != nil {
			return err.Error(), nil //nolint:nilerr // the error is the reason
		}
	}
	return "", nil
}

// notReadyPods returns which deployments lack ready pods, and which Services lack endpoints.
func notReadyPods(ctx context.Context, c *kube.Client, r charts.Release) (string, error) {
	lacking, of, err := c.NotReady(ctx, r.Namespace, r.Selector)
	if err != nil {
		return "", err
	}
	if of == 0 {
		return "its deployments are gone", nil
	}
	var reasons []string
	for _, n := range lacking {
		reasons = append(reasons, n.String())
	}
	if len(reasons) > 0 {
		return strings.Join(reasons, "; "), nil
	}
	without, err := c.WithoutEndpoints(ctx, r.Namespace, r.Selector)
	for _, name := range without {
		reasons = append(reasons, "Service "+name+" has no ready pod")
	}
	return strings.Join(reasons, "; "), err
}

// unusableCertificate checks certificates as a peer does. It does not rely on the status that cert-manager reports, which stays ready for a
// certificate whose root is no longer trusted.
func unusableCertificate(ctx context.Context, c *kube.Client) (string, error) {
	all, err := Certificates(ctx, c)
	if err != nil {
		return "", err
	}
	for _, cert := range all {
		if cert.Why != "" {
			return "certificate " + cert.Name + ": " + cert.Why, nil
		}
	}
	if len(all) == 0 {
		return "no certificate is there", nil
	}
	return "", nil
}
