// Package release installs, upgrades and repairs Helm releases as one operation that may run any number of times.
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

// Spec is a release as it should be.
type Spec struct {
	Name      string
	Namespace string // exists already
	Chart     *chart.Chart
	Values    map[string]any
	Held      []string // fields that a scenario's run holds, as in Drifted
}

// Outcome is what Apply had to do.
type Outcome string

// The outcomes of Apply.
const (
	Unchanged Outcome = "unchanged"
	Installed Outcome = "installed"
	Upgraded  Outcome = "upgraded"
	Repaired  Outcome = "repaired" // a half-made release, or one whose objects somebody deleted or changed
)

// fingerprintLabel is on every release record: equal fingerprints mean equal chart and values.
const fingerprintLabel = "sandbox.dev/fingerprint"

// Apply makes the release be as spec says.
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

// applyWhole applies the release and then repairs what Helm leaves as it is.
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
		// A kill left it so; nothing else can be working on it, because `up` holds the sandbox's lock.
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
	return Repaired, nil // by applyWhole
}

// forget deletes every record of a release: Helm installs nothing under a name that has one.
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

// install and upgrade leave out the comparison with the API server's OpenAPI document: to fetch and read it costs each release as much as all
// else. That every object of our charts has its kind's fields and no others is a test of package charts.
func install(ctx context.Context, cfg *action.Configuration, s Spec, print string) error {
	i := action.NewInstall(cfg)
	i.ReleaseName, i.Namespace = s.Name, s.Namespace
	i.TakeOwnership = true // objects may have outlived a release record that was deleted by hand
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

// fingerprint covers the chart's files and the values; the order of neither matters.
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
	return hex.EncodeToString(h.Sum(nil))[:40], nil // a label has at most 63 characters
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

// nameManager gives Helm the name under which it owns fields. Its default is the name of the program's file, which a user may change.
var nameManager = sync.OnceFunc(func() { kube.ManagedFieldsManager = fieldManager })

func configuration(kubeconfig, namespace string) (*action.Configuration, error) {
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Namespace = &kubeconfig, &namespace
	flags.WithWrapConfigFn(func(c *rest.Config) *rest.Config {
		c.QPS = -1 // no limit: the cluster is ours alone
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

// State is a release as it is.
type State struct {
	Name, Namespace, Chart, Version string
	Status                          string // Helm's word
}

// List returns the releases in a namespace, by their newest record.
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
