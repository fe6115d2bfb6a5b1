package live

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// clusterWith returns a cluster with objects of the control plane.
func clusterWith(all ...runtime.Object) *Cluster {
	lists := map[schema.GroupVersionResource]string{
		api.GroupVersion.WithResource("trafficpolicies"): "TrafficPolicyList", api.GroupVersion.WithResource("faults"): "FaultList",
	}
	return &Cluster{Kube: &kube.Client{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), lists, all...)}}
}

func policyObject(name string, status map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": api.GroupVersion.String(), "kind": target.TrafficPolicy, "status": status,
		"metadata": map[string]any{"namespace": charts.ShopNamespace, "name": name, "generation": int64(1), "labels": map[string]any{"team": "a"}},
		"spec":     map[string]any{"maxRequestsPerSecond": int64(50)}}}
}

func TestApplyPolicy_KeepsWhatOthersAdded(t *testing.T) {
	c := clusterWith(policyObject("limit", nil))
	p := api.TrafficPolicy{Spec: []byte(`{"shed":{}}`)}
	p.Name, p.Labels, p.Annotations = "limit", map[string]string{"mine": "b"}, map[string]string{traffic.LinesAnnotation: "{}"}
	if _, err := c.ApplyPolicy(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got, err := c.Policy(t.Context(), "limit")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"team": "a", "mine": "b"}, got.Labels); diff != "" || string(got.Spec) != `{"shed":{}}` || got.Annotations[traffic.LinesAnnotation] != "{}" {
		t.Errorf("%s, %v, labels (-want +got):\n%s", got.Spec, got.Annotations, diff)
	}
	p.Name = "other"
	if change, err := c.ApplyPolicy(t.Context(), p); change != traffic.Created || err != nil {
		t.Errorf("a new policy: %s, %v", change, err)
	}
	all, err := c.Policies(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "limit" || all[1].Name != "other" {
		t.Errorf("all: %v, %v", all, err)
	}
}

func TestPolicy_NoObject(t *testing.T) {
	if _, err := clusterWith().Policy(t.Context(), "limit"); !errors.Is(err, ErrNoObject) || err.Error() != "TrafficPolicy limit: there is no such object" {
		t.Errorf("got %v", err)
	}
}

func conditions(programmed metav1.ConditionStatus, reason, message string) map[string]any {
	condition := func(kind string, status metav1.ConditionStatus, reason, message string) any {
		return map[string]any{"type": kind, "status": string(status), "reason": reason, "message": message, "observedGeneration": int64(1), "lastTransitionTime": "2030-01-02T03:04:05Z"}
	}
	return map[string]any{"subscribers": int64(0), "enforcing": int64(0), "verdicts": map[string]any{}, "conditions": []any{
		condition(api.Accepted, metav1.ConditionTrue, "Valid", ""), condition(api.Programmed, programmed, reason, message)}}
}

func TestAwait_PolicyWithoutEffectFailsAfterItHasSettled(t *testing.T) {
	for reason, message := range map[string]string{
		"NoTarget": "the selector selects no pod that receives configuration",
		"NoEffect": "the selector selects pods, but the policy sets nothing for them or their callers",
	} {
		synctest.Test(t, func(t *testing.T) {
			c := clusterWith(policyObject("limit", conditions(metav1.ConditionFalse, reason, message)))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			started := time.Now()
			err := c.AwaitPolicy(ctx, "limit")
			if took := time.Since(started); err == nil || !errorSays(err, "TrafficPolicy limit has no effect: "+message) || took < settle || took > settle+time.Second {
				t.Errorf("%s: after %s: %v", reason, took, err)
			}
		})
	}
}

func TestAwait_PolicyInForce(t *testing.T) {
	if err := clusterWith(policyObject("limit", conditions(metav1.ConditionTrue, "Enforced", ""))).AwaitPolicy(t.Context(), "limit"); err != nil {
		t.Error(err)
	}
}
