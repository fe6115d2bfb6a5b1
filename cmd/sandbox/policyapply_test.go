package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// fakePlane is a control plane with two processes.
type fakePlane struct {
	policy *api.TrafficPolicy
	await  error
	// absent is a selected pod that is not connected; empty if there is none.
	absent string
}

func (f fakePlane) ApplyPolicy(context.Context, api.TrafficPolicy) (string, error) {
	return traffic.Created, nil
}
func (f fakePlane) AwaitPolicy(context.Context, string) error { return f.await }
func (f fakePlane) Policy(context.Context, string) (*api.TrafficPolicy, error) {
	return f.policy, nil
}
func (f fakePlane) Subscribers(context.Context, string, string) ([]*controlv1.Subscriber, error) {
	of := func(pod, service string, v controlv1.Verdict, why string) *controlv1.Subscriber {
		return &controlv1.Subscriber{Pod: pod, Service: service, ConnectedSince: timestamppb.Now(), Fields: []*controlv1.FieldVerdict{{Field: "maxRequestsPerSecond", Verdict: v, Why: why}}}
	}
	all := []*controlv1.Subscriber{of("userservice-2", "userservice", controlv1.Verdict_VERDICT_IGNORED, "TrafficPolicy shop/other applies instead"),
		of("userservice-1", "userservice", controlv1.Verdict_VERDICT_ENFORCED, "")}
	if f.absent != "" {
		all = append(all, &controlv1.Subscriber{Pod: f.absent, Service: "userservice",
			Fields: []*controlv1.FieldVerdict{{Verdict: controlv1.Verdict_VERDICT_IGNORED, Why: "the process is not connected to the control plane"}}})
	}
	return all, nil
}

func limitDocument(t *testing.T) []traffic.Document {
	t.Helper()
	docs, err := traffic.Read("limit.yaml", []byte("apiVersion: sandbox.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: limit}\nspec:\n"+
		"  selector: {matchLabels: {app.kubernetes.io/name: userservice}}\n  maxRequestsPerSecond: 50\n"), compile.KindTrafficPolicy)
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

func TestApplyTo_ReportsWhetherInForce(t *testing.T) {
	for _, c := range []struct {
		sentence string
		plane    fakePlane
		noWait   bool
		want     string
		code     int
	}{
		{"in force", fakePlane{}, false, "limit: created, in force in 2 processes after 0.0 s\n" +
			"POD            FIELD                 VERDICT   WHY\n" +
			"userservice-1  maxRequestsPerSecond  enforced  \n" +
			"userservice-2  maxRequestsPerSecond  ignored   TrafficPolicy shop/other applies instead\n", exitDone},
		{"not waited for", fakePlane{await: errors.New("never asked")}, true, "limit: created\n", exitDone},
		{"not in force", fakePlane{await: errors.New("userservice-1 rejected it")}, false, "limit: created, not known to be in force\n", exitNotHeld},
	} {
		var out strings.Builder
		err := applyTo(t.Context(), &out, c.plane, limitDocument(t), c.noWait, false)
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
		var coded *codedError
		if got := errors.As(err, &coded); got != (c.code != exitDone) || got && coded.code != c.code {
			t.Errorf("%s: %v", c.sentence, err)
		}
		if c.code != exitDone {
			const want = "sandbox: policy limit is applied, but not in force: userservice-1 rejected it\ntry: sandbox policy status limit\n"
			if diff := cmp.Diff(want, printedError(&globals{name: "sandbox"}, err)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
			}
		}
	}
}
