// Package release installs, upgrades and repairs Helm releases with one idempotent operation, [Apply].
//
//	Apply ──▶ newest record of the release
//	            │
//	            ├─ none, or uninstalled ──────▶ install
//	            ├─ other fingerprint ─────────▶ upgrade ──▶ repair
//	            ├─ failed, or left by a kill ─▶ upgrade ──▶ repair
//	            └─ same fingerprint ──▶ compare the manifest with the cluster
//	                                      ├─ equal ────────────────▶ unchanged
//	                                      ├─ an object is missing ─▶ upgrade ──▶ repair
//	                                      └─ fields differ ────────────────────▶ repair
//
// Every release record carries a fingerprint of the chart's files and the values, so a release that is up to date costs no Helm operation. Helm's
// upgrade compares two manifests and never looks at the cluster. Repair therefore asks the API server what a forced server-side apply of the manifest
// would change, and applies the manifest of every object that differs. Fields that a running scenario has changed (Spec.Held) are left alone.
//
// [InOrder] runs the work of many releases as a graph: each node starts as soon as the nodes it needs are done.
package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/kube"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
)

// Spec is the desired state of a release.
type Spec struct {
	// Name is the name of the Helm release.
	Name string
	// Namespace must exist.
	Namespace string
	// Chart is the chart, and Values override its own values.
	Chart  *chart.Chart
	Values map[string]any
	// Held are the fields that a running scenario has changed, as in Drifted.
	Held []string
}

// Outcome is what Apply had to do.
type Outcome string

// The outcomes of Apply.
const (
	Unchanged Outcome = "unchanged"
	Installed Outcome = "installed"
	Upgraded  Outcome = "upgraded"
	// Repaired is the outcome for an incomplete release, or one whose objects were deleted or changed by hand.
	Repaired Outcome = "repaired"
)

// fingerprintLabel is a label of every release record. Equal fingerprints mean equal chart and values.
const fingerprintLabel = "sandbox.dev/fingerprint"

// Apply brings the release into the state that spec describes. It is idempotent.
func Apply(ctx context.Context, kubeconfig string, s Spec) (Outcome, error) {
	cfg, err := configuration(kubeconfig, s.Namespace)
	if err != nil {
		return "", fmt.Errorf("applying release %s: %w", s.Name, err)
	}
	outcome, err := until(ctx, func() (Outcome, error) { return applyWhole(ctx, cfg, s) })
	if err != nil {
		return "", fmt.Errorf("applying release %s: %w", s.Name, err)
	}
	return outcome, nil
}

// applyWhole applies the release and then repairs what Helm does not compare.
func applyWhole(ctx context.Context, cfg *action.Configuration, s Spec) (Outcome, error) {
	outcome, err := apply(ctx, cfg, s)
	if err != nil || outcome == Unchanged || outcome == Installed {
		return outcome, err
	}
	_, err = repairDrift(ctx, cfg, s.Name, s.Held)
	return outcome, err
}

func apply(ctx context.Context, cfg *action.Configuration, s Spec) (Outcome, error) {
	print, err := fingerprint(s)
	if err != nil {
		return "", err
	}
	last, err := cfg.Releases.Last(s.Name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return Installed, install(ctx, cfg, s, print)
	}
	if err != nil {
		return "", err
	}
	switch status := last.Info.Status; {
	case status == release.StatusUninstalling || status == release.StatusUninstalled:
		if err := forget(cfg, s.Name); err != nil {
			return "", err
		}
		return Repaired, install(ctx, cfg, s, print)
	case status.IsPending():
		// A killed command left the record pending. No other command can be working on it, because `up` holds the sandbox's lock.
		last.SetStatus(release.StatusFailed, "interrupted")
		if err := cfg.Releases.Update(last); err != nil {
			return "", err
		}
		return Repaired, upgrade(ctx, cfg, s, print)
	case status != release.StatusDeployed:
		return Repaired, upgrade(ctx, cfg, s, print)
	case last.Labels[fingerprintLabel] != print:
		return Upgraded, upgrade(ctx, cfg, s, print)
	}
	found, err := drifted(ctx, cfg, last.Manifest, s.Held)
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return Unchanged, nil
	case slices.ContainsFunc(found, func(d Drift) bool { return d.Missing }):
		return Repaired, upgrade(ctx, cfg, s, print)
	}
	// applyWhole has repaired it.
	return Repaired, nil
}

// forget deletes every record of a release, because Helm does not install under a name that has one.
func forget(cfg *action.Configuration, name string) error {
	all, err := cfg.Releases.History(name)
	if err != nil {
		return err
	}
	for _, r := range all {
		if _, err := cfg.Releases.Delete(name, r.Version); err != nil {
			return err
		}
	}
	return nil
}

// install and upgrade skip the validation against the API server's OpenAPI document: fetching and parsing it takes as long as the rest of the
// operation. A test of package charts checks that every object of our charts has only the fields of its kind.
func install(ctx context.Context, cfg *action.Configuration, s Spec, print string) error {
	i := action.NewInstall(cfg)
	i.ReleaseName, i.Namespace = s.Name, s.Namespace
	// Objects may remain after the release record was deleted by hand.
	i.TakeOwnership = true
	i.Labels = map[string]string{fingerprintLabel: print}
	i.DisableOpenAPIValidation = true
	_, err := i.RunWithContext(ctx, s.Chart, s.Values)
	return err
}

func upgrade(ctx context.Context, cfg *action.Configuration, s Spec, print string) error {
	u := action.NewUpgrade(cfg)
	u.Namespace = s.Namespace
	u.TakeOwnership = true
	u.ResetValues = true
	u.MaxHistory = 3
	u.Labels = map[string]string{fingerprintLabel: print}
	u.DisableOpenAPIValidation = true
	_, err := u.RunWithContext(ctx, s.Name, s.Chart, s.Values)
	return err
}

// fingerprint returns a hash of the chart's files and the values. It does not depend on their order.
func fingerprint(s Spec) (string, error) {
	h := sha256.New()
	if err := hashChart(h, s.Chart); err != nil {
		return "", err
	}
	values, err := json.Marshal(s.Values)
	if err != nil {
		return "", err
	}
	h.Write(values)
	// A label has at most 63 characters.
	return hex.EncodeToString(h.Sum(nil))[:40], nil
}

func hashChart(w io.Writer, c *chart.Chart) error {
	fmt.Fprintln(w, c.Metadata.Name, c.Metadata.Version, c.Metadata.AppVersion)
	var files []string
	for _, f := range slices.Concat(c.Templates, c.Files) {
		files = append(files, fmt.Sprintf("%s %x\n", f.Name, sha256.Sum256(f.Data)))
	}
	slices.Sort(files)
	fmt.Fprint(w, strings.Join(files, ""))
	values, err := json.Marshal(c.Values)
	if err != nil {
		return err
	}
	_, err = w.Write(values)
	return err
}

// nameManager sets the name under which Helm owns fields. Helm's default is the name of the program's file, which a user may change.
var nameManager = sync.OnceFunc(func() { kube.ManagedFieldsManager = fieldManager })

func configuration(kubeconfig, namespace string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &kubeconfig, &namespace
	flags.WithWrapConfigFn(func(c *rest.Config) *rest.Config {
		// No limit, because no other client uses the cluster.
		c.QPS = -1
		return c
	})
	flags.WithDiscoveryBurst(300).WithDiscoveryQPS(50)
	cacheDir := kubeconfig + ".cache"
	flags.CacheDir = &cacheDir
	nameManager()
	cfg := new(action.Configuration)
	debug := func(format string, args ...any) { slog.Debug(fmt.Sprintf(format, args...)) }
	return cfg, cfg.Init(flags, namespace, "secret", debug)
}

// State is the current state of a release.
type State struct {
	// Name and Namespace identify the release. Chart is the name of its chart, Version the version of the chart.
	Name, Namespace, Chart, Version string
	// Status is the status as Helm names it.
	Status string
}

// List returns the releases in a namespace, according to their newest records.
func List(ctx context.Context, kubeconfig, namespace string) ([]State, error) {
	cfg, err := configuration(kubeconfig, namespace)
	if err != nil {
		return nil, err
	}
	l := action.NewList(cfg)
	l.StateMask = action.ListAll
	found, err := until(ctx, l.Run)
	if err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	var all []State
	for _, r := range found {
		all = append(all, State{Name: r.Name, Namespace: r.Namespace, Chart: r.Chart.Name(), Version: r.Chart.Metadata.Version, Status: string(r.Info.Status)})
	}
	return all, nil
}
