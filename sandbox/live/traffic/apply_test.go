package traffic

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
)

// fakePlane is a control plane with processes that enforce every policy, except those in failing.
type fakePlane struct {
	calls       []string
	failing     map[string]error
	subscribers []*controlv1.Subscriber
	policies    map[string]*api.TrafficPolicy
}

func (f *fakePlane) ApplyPolicy(_ context.Context, p api.TrafficPolicy) (string, error) {
	f.calls = append(f.calls, "apply "+p.Name)
	return Created, nil
}

func (f *fakePlane) AwaitPolicy(_ context.Context, name string) error {
	f.calls = append(f.calls, "await "+name)
	return f.failing[name]
}

func (f *fakePlane) Subscribers(_ context.Context, kind, name string) ([]*controlv1.Subscriber, error) {
	f.calls = append(f.calls, "subscribers "+kind+" "+name)
	return f.subscribers, nil
}

func (f *fakePlane) Policy(_ context.Context, name string) (*api.TrafficPolicy, error) {
	if p := f.policies[name]; p != nil {
		return p, nil
	}
	return nil, errors.New("no such policy")
}

func subscriber(pod string, fields ...*controlv1.FieldVerdict) *controlv1.Subscriber {
	return &controlv1.Subscriber{Namespace: "shop", Pod: pod, Service: "userservice", ConnectedSince: timestamppb.Now(), Fields: fields}
}

func verdict(field string, v controlv1.Verdict, why string) *controlv1.FieldVerdict {
	return &controlv1.FieldVerdict{Field: field, Verdict: v, Why: why}
}

func twoDocuments(t *testing.T) []Document {
	t.Helper()
	second := documentOf(t, "  maxRequestsPerSecond: 60\n")
	second.Name = "other"
	return []Document{documentOf(t, "  maxRequestsPerSecond: 50\n"), second}
}

func TestApply_AppliesAllBeforeWaiting(t *testing.T) {
	f := &fakePlane{subscribers: []*controlv1.Subscriber{subscriber("b", verdict("maxRequestsPerSecond", controlv1.Verdict_VERDICT_ENFORCED, "")), subscriber("a")}}
	got, err := Apply(t.Context(), f, twoDocuments(t), false)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"apply limit", "apply other", "await limit", "subscribers TrafficPolicy limit", "await other", "subscribers TrafficPolicy other"}
	if diff := cmp.Diff(want, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	processes := []Process{{Pod: "a", Service: "userservice", Connected: true, Fields: []Field{}},
		{Pod: "b", Service: "userservice", Connected: true, Fields: []Field{{"maxRequestsPerSecond", "enforced", ""}}}}
	if diff := cmp.Diff([]Applied{{Name: "limit", Change: Created, InForce: true, Processes: processes}, {Name: "other", Change: Created, InForce: true, Processes: processes}}, got,
		cmpopts.IgnoreFields(Applied{}, "Seconds")); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestApply_NoWait(t *testing.T) {
	f := &fakePlane{}
	got, err := Apply(t.Context(), f, twoDocuments(t), true)
	if diff := cmp.Diff([]string{"apply limit", "apply other"}, f.calls); diff != "" || err != nil || len(got) != 2 || got[0].InForce {
		t.Errorf("%+v, %v, calls (-want +got):\n%s", got, err, diff)
	}
}

func TestApply_NotInForce(t *testing.T) {
	why := errors.New("b rejected it")
	f := &fakePlane{failing: map[string]error{"limit": why}}
	got, err := Apply(t.Context(), f, twoDocuments(t), false)
	var not *NotInForceError
	if !errors.As(err, &not) || not.Name != "limit" || !errors.Is(err, why) || err.Error() != "policy limit is applied, but not in force: b rejected it" {
		t.Errorf("error %v", err)
	}
	if len(got) != 2 || got[0].InForce || got[1].InForce {
		t.Errorf("applied %+v", got)
	}
}

func TestStatusOf_PodWithoutAConnection(t *testing.T) {
	o := objectOf(t, "  maxRequestsPerSecond: 50\n")
	absent := subscriber("b", verdict("", controlv1.Verdict_VERDICT_IGNORED, "the process is not connected to the control plane"))
	absent.ConnectedSince = nil
	f := &fakePlane{policies: map[string]*api.TrafficPolicy{"limit": &o},
		subscribers: []*controlv1.Subscriber{subscriber("a", verdict("maxRequestsPerSecond", controlv1.Verdict_VERDICT_PENDING, "not acknowledged yet")), absent}}
	got, err := StatusOf(t.Context(), f, "limit")
	if err != nil {
		t.Fatal(err)
	}
	want := []Process{{Pod: "a", Service: "userservice", Connected: true, Fields: []Field{{"maxRequestsPerSecond", "pending", "not acknowledged yet"}}},
		{Pod: "b", Service: "userservice", Fields: []Field{{Verdict: "ignored", Why: "the process is not connected to the control plane"}}}}
	if diff := cmp.Diff(want, got.Subscribers); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	if got.Spec != "maxRequestsPerSecond: 50" || got.Reason != "Pending" || got.InForce {
		t.Errorf("summary %+v", got.Summary)
	}
}

func TestSummarize_ReasonOfThePresentGeneration(t *testing.T) {
	for _, c := range []struct {
		sentence          string
		generation        int64
		accepted, inForce bool
		reason            string
	}{
		{"in force", 2, true, true, "Enforced"},
		{"not accepted", 2, false, false, "Invalid"},
		{"a status of an earlier generation", 3, false, false, "Pending"},
	} {
		o := objectOf(t, "  maxRequestsPerSecond: 50\n")
		o.Generation = c.generation
		o.Status = statusOf(2, c.sentence != "not accepted")
		s := Summarize(o)
		if s.Accepted != c.accepted || s.InForce != c.inForce || s.Reason != c.reason {
			t.Errorf("%s: %+v", c.sentence, s)
		}
	}
	if s := Summarize(api.TrafficPolicy{Spec: []byte(`{"nothing":1}`)}); s.Reason != "Pending" || len(s.Selector) != 0 {
		t.Errorf("a policy that cannot be read: %+v", s)
	}
}

func statusOf(generation int64, accepted bool) api.TrafficPolicyStatus {
	s := api.TrafficPolicyStatus{Conditions: []metav1.Condition{
		{Type: api.Accepted, Status: metav1.ConditionTrue, Reason: "Valid", ObservedGeneration: generation},
		{Type: api.Programmed, Status: metav1.ConditionTrue, Reason: "Enforced", ObservedGeneration: generation},
	}}
	if !accepted {
		s.Conditions[0].Status, s.Conditions[0].Reason, s.Conditions[1].Status = metav1.ConditionFalse, "Invalid", metav1.ConditionFalse
	}
	return s
}
