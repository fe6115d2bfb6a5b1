package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/images"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// statusDocument is what `status -o json` prints. Add fields; never rename one.
type statusDocument struct {
	Name              string          `json:"name"`
	Engine            string          `json:"engine"`
	KubernetesVersion string          `json:"kubernetesVersion"`
	Ready             bool            `json:"ready"`
	Releases          []releaseStatus `json:"releases"`
	Images            []imageStatus   `json:"images"`
	Memory            cluster.Memory  `json:"memory"`
	// Policies and Faults are those that are applied now. They are null if they could not be read.
	Policies []policyState `json:"policies"`
	Faults   []faultState  `json:"faults"`

	// LeftBehind are the changes that killed runs left.
	LeftBehind []scenarios.Leftover `json:"leftBehind"`
}

type releaseStatus struct {
	Name      string `json:"name"`
	Chart     string `json:"chart"`
	Version   string `json:"version"`
	Namespace string `json:"namespace"`
	Ready     bool   `json:"ready"`
	Why       string `json:"why"`
	// Drift names the objects that differ from the release's manifest.
	Drift []string `json:"drift,omitempty"`
}

// policyState is a traffic policy that is applied.
type policyState struct {
	Name    string `json:"name"`
	InForce bool   `json:"inForce"`
	// Reason is one word, such as Enforced or NoTarget.
	Reason string `json:"reason"`
}

// faultState is a fault that exists.
type faultState struct {
	Name   string `json:"name"`
	Effect string `json:"effect"`
	Phase  string `json:"phase"`
}

type imageStatus struct {
	Ref    string        `json:"ref"`
	Origin images.Origin `json:"origin"`
}

func newStatus(proc process, g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the state of every release, and why one is not ready",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := g.asJSON()
			if err != nil {
				return err
			}
			folders, err := proc.folders()
			if err != nil {
				return err
			}
			var doc statusDocument
			err = withCluster(cmd.Context(), proc, g, func(c *live.Cluster) (err error) {
				doc, err = newStatusDocument(cmd.Context(), c, folders, g.name)
				return err
			})
			if err != nil {
				return err
			}
			err = writeDocument(proc.stdout, doc, asJSON)
			if err == nil && !doc.Ready {
				return &codedError{code: exitEnvironment, err: doc.notReady()}
			}
			for _, r := range doc.hints() {
				fmt.Fprintln(proc.stderr, strings.Join(r.Lines(g.commandLine), "\n"))
			}
			return err
		},
	}
	outputFlag(cmd, g)
	return cmd
}

// inspected is what status needs of a cluster.
type inspected interface {
	Engine() string
	Version(ctx context.Context) (string, error)
	Releases(ctx context.Context) ([]live.ReleaseStatus, error)
	Memory(ctx context.Context) (cluster.Memory, error)
	Policies(ctx context.Context) ([]api.TrafficPolicy, error)
	Faults(ctx context.Context) ([]api.Fault, error)
}

// newStatusDocument reads the state of a sandbox.
func newStatusDocument(ctx context.Context, c inspected, folders sandbox.Folders, name string) (statusDocument, error) {
	doc := statusDocument{Name: name, Engine: c.Engine()}
	var err error
	if doc.KubernetesVersion, err = c.Version(ctx); err != nil {
		return doc, err
	}
	if doc.LeftBehind, err = live.Leftovers(folders, name); err != nil {
		return doc, err
	}
	releases, err := c.Releases(ctx)
	if err != nil {
		return doc, err
	}
	doc.Releases = each(releases, newReleaseStatus)
	doc.Ready = !slices.ContainsFunc(doc.Releases, func(r releaseStatus) bool { return !r.Ready })
	if doc.Memory, err = c.Memory(ctx); err != nil {
		return doc, err
	}
	// A sandbox that is not ready may not know these kinds of objects.
	if policies, err := c.Policies(ctx); err == nil {
		doc.Policies = each(policies, func(p api.TrafficPolicy) policyState {
			s := traffic.Summarize(p)
			return policyState{s.Name, s.InForce, s.Reason}
		})
	}
	if faults, err := c.Faults(ctx); err == nil {
		doc.Faults = each(faults, func(f api.Fault) faultState {
			s := traffic.SummarizeFault(f)
			return faultState{s.Name, s.Effect, s.Phase}
		})
	}
	cache, err := images.OpenCache(folders.Images())
	if err != nil {
		return doc, err
	}
	entries, err := cache.Entries()
	if err != nil {
		return doc, err
	}
	doc.Images = []imageStatus{}
	for _, e := range entries {
		doc.Images = append(doc.Images, imageStatus{Ref: e.Ref, Origin: e.Origin})
	}
	return doc, nil
}

// notReady returns the error for a sandbox that is not ready. What a killed run left behind is the first suspect, so it is undone first.
func (d statusDocument) notReady() error {
	remedies := []remedy.Remedy{remedy.Command("up")}
	if len(d.LeftBehind) > 0 {
		remedies = []remedy.Remedy{remedy.Command("undo"), remedy.Command("up").If("that does not help")}
	}
	return remedy.Wrap(fmt.Errorf("sandbox %q is not ready", d.Name), remedies...)
}

// hints returns what the user can do about a sandbox that is ready, but not as `up` made it.
func (d statusDocument) hints() (all []remedy.Remedy) {
	if len(d.LeftBehind) > 0 {
		all = append(all, remedy.Command("undo").If("the changes of killed runs are not intended"))
	}
	if slices.ContainsFunc(d.Releases, func(r releaseStatus) bool { return len(r.Drift) > 0 }) {
		all = append(all, remedy.Command("up").If("the changes by hand are not intended"))
	}
	return all
}

func newReleaseStatus(r live.ReleaseStatus) releaseStatus {
	one := releaseStatus{Name: r.Release.Name, Chart: r.Release.Chart, Namespace: r.Release.Namespace, Version: r.Version, Ready: r.Why == "", Why: r.Why}
	for _, d := range r.Drift {
		one.Drift = append(one.Drift, d.String())
	}
	return one
}

func (d statusDocument) writeTable(out io.Writer) error {
	word := map[bool]string{true: "ready", false: "not ready"}
	fmt.Fprintf(out, "%s on %s, Kubernetes %s: %s\n", d.Name, d.Engine, d.KubernetesVersion, word[d.Ready])
	fmt.Fprintf(out, "memory of the node: working set %.2f GB, with idle page cache %.2f GB\n\n", gigabytes(d.Memory.WorkingSet), gigabytes(d.Memory.Usage))
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RELEASE\tNAMESPACE\tVERSION\tSTATE\tWHY")
	for _, r := range d.Releases {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Name, r.Namespace, r.Version, word[r.Ready], r.Why)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	d.writeTraffic(out)
	for _, l := range d.LeftBehind {
		fmt.Fprintln(out, "left behind by a killed run:", l)
	}
	return d.writeDrift(out)
}

// writeTraffic lists the policies and faults that change how calls are treated.
func (d statusDocument) writeTraffic(out io.Writer) {
	if len(d.Policies)+len(d.Faults) > 0 {
		fmt.Fprintln(out)
	}
	for _, p := range d.Policies {
		state := "in force"
		if !p.InForce {
			state = "not in force"
		}
		fmt.Fprintf(out, "policy %s: %s (%s)\n", p.Name, state, p.Reason)
	}
	for _, f := range d.Faults {
		fmt.Fprintf(out, "fault %s: %s (%s)\n", f.Name, f.Effect, f.Phase)
	}
}

// writeDrift lists the objects that were changed by hand.
func (d statusDocument) writeDrift(out io.Writer) error {
	drifted := false
	for _, r := range d.Releases {
		for _, what := range r.Drift {
			if !drifted {
				fmt.Fprintln(out, "\nchanged by hand:")
				drifted = true
			}
			fmt.Fprintf(out, "  %s: %s\n", r.Name, what)
		}
	}
	return nil
}

func gigabytes(bytes int64) float64 { return float64(bytes) / 1e9 }
