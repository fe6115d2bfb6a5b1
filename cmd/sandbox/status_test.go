package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox"
	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// inspectedOne has one release.
type inspectedOne struct {
	why string
	err error
	// objectsErr is the error of listing policies and faults.
	objectsErr error
}

func (inspectedOne) Engine() string                            { return "podman" }
func (f inspectedOne) Version(context.Context) (string, error) { return "v1.37.2", f.err }
func (inspectedOne) Memory(context.Context) (cluster.Memory, error) {
	return cluster.Memory{WorkingSet: 7}, nil
}
func (f inspectedOne) Releases(context.Context) ([]live.ReleaseStatus, error) {
	return []live.ReleaseStatus{{Release: charts.Release{Name: "userservice", Namespace: "shop"}, Version: "0.1.0", Why: f.why}}, nil
}

func (f inspectedOne) Policies(context.Context) ([]api.TrafficPolicy, error) {
	one := api.TrafficPolicy{}
	one.Name = "limit"
	return []api.TrafficPolicy{one}, f.objectsErr
}

func (f inspectedOne) Faults(context.Context) ([]api.Fault, error) {
	one := api.Fault{Spec: []byte(`{"selector":{"matchLabels":{"a":"b"}},"abort":{"code":"UNAVAILABLE"}}`)}
	one.Name, one.Status.Phase = "broken", api.FaultActive
	return []api.Fault{one}, f.objectsErr
}

// TestNewStatusDocument_PoliciesAndFaults: those that exist are listed. A cluster without such objects still has a status.
func TestNewStatusDocument_PoliciesAndFaults(t *testing.T) {
	folders := sandbox.Folders{Config: t.TempDir(), Cache: t.TempDir(), State: t.TempDir()}
	doc, err := newStatusDocument(t.Context(), inspectedOne{}, folders, "blue")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	doc.writeTraffic(&out)
	if got := out.String(); got != "\npolicy limit: not in force (Pending)\nfault broken: abort {code: UNAVAILABLE} (Active)\n" {
		t.Errorf("got %q", got)
	}
	doc, err = newStatusDocument(t.Context(), inspectedOne{objectsErr: errors.New("no such kind")}, folders, "blue")
	out.Reset()
	doc.writeTraffic(&out)
	if err != nil || doc.Policies != nil || doc.Faults != nil || out.String() != "" {
		t.Errorf("without these kinds of objects: %+v, %v", doc, err)
	}
}

// TestStatusDocument_HintsNameTheSandbox: what can be done is printed by the command, for the sandbox that --name selects.
func TestStatusDocument_HintsNameTheSandbox(t *testing.T) {
	left, drifted := []scenarios.Leftover{{Number: 1}}, []releaseStatus{{Name: "userservice", Drift: []string{"Deployment/userservice: spec.replicas"}}}
	for _, c := range []struct {
		sentence string
		doc      statusDocument
		want     []string
	}{
		{"as it was made", statusDocument{Releases: []releaseStatus{{Name: "userservice"}}}, nil},
		{"a killed run left changes", statusDocument{LeftBehind: left}, []string{"sandbox undo --name blue"}},
		{"an object was changed", statusDocument{Releases: drifted}, []string{"sandbox up --name blue"}},
		{"both", statusDocument{LeftBehind: left, Releases: drifted}, []string{"sandbox undo --name blue", "sandbox up --name blue"}},
	} {
		var got []string
		for _, r := range c.doc.hints() {
			got = append(got, r.Text((&globals{name: "blue"}).commandLine))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.sentence, got, c.want)
		}
		var table strings.Builder
		if err := c.doc.writeTable(&table); err != nil || strings.Contains(table.String(), "`sandbox ") {
			t.Errorf("%s: the table names a command: %q, %v", c.sentence, table.String(), err)
		}
	}
}

func TestNewStatusDocument_ReadyOrNot(t *testing.T) {
	folders := sandbox.Folders{Config: t.TempDir(), Cache: t.TempDir(), State: t.TempDir()}
	for _, c := range []struct {
		sentence string
		cluster  inspectedOne
		ready    bool
	}{
		{"ready", inspectedOne{}, true},
		{"a release is not ready", inspectedOne{why: "its deployments are gone"}, false},
	} {
		doc, err := newStatusDocument(t.Context(), c.cluster, folders, "blue")
		if err != nil || doc.Ready != c.ready || doc.Name != "blue" || doc.Engine != "podman" || doc.KubernetesVersion != "v1.37.2" || doc.Memory.WorkingSet != 7 ||
			len(doc.Releases) != 1 || doc.Releases[0].Ready != c.ready || doc.Releases[0].Why != c.cluster.why {
			t.Errorf("%s: %+v, %v", c.sentence, doc, err)
		}
	}
	gone := errors.New("no answer")
	if _, err := newStatusDocument(t.Context(), inspectedOne{err: gone}, folders, "blue"); !errors.Is(err, gone) {
		t.Errorf("a cluster that does not answer: %v", err)
	}
}
