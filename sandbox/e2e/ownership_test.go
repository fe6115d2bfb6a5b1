//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/kube"
)

// call returns what `call` prints of the answer.
func call(ctx context.Context, t *testing.T, method, request string) string {
	t.Helper()
	out, code, err := shared.run(ctx, "call", method, request)
	if err != nil || code != 0 {
		t.Fatalf("call %s ended with %d, %v: %s", method, code, err, out)
	}
	return out
}

// TestUp_AdoptsClusterWithoutState checks that `up` keeps a cluster, and the data in it, if its state folder was lost.
func TestUp_AdoptsClusterWithoutState(t *testing.T) {
	feature(t, "state folder lost", func(ctx context.Context, t *testing.T) {
		var made struct {
			Order struct{ OrderID string }
		}
		out := call(ctx, t, "order.v1.OrderService/CreateOrder", `{"userId":"u-7","lines":[{"sku":"sku-3","quantity":1}]}`)
		if err := json.Unmarshal([]byte(out), &made); err != nil || made.Order.OrderID == "" {
			t.Fatalf("reading the order: %v: %s", err, out)
		}
		get := fmt.Sprintf(`{"orderId":%q}`, made.Order.OrderID)
		before := call(ctx, t, "order.v1.OrderService/GetOrder", get)
		namespace, err := connect(t).Kube.CoreV1().Namespaces().Get(ctx, charts.ShopNamespace, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Dir(shared.GetKubeconfig())
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		after, err := connect(t).Kube.CoreV1().Namespaces().Get(ctx, charts.ShopNamespace, metav1.GetOptions{})
		if err != nil || after.UID != namespace.UID {
			t.Errorf("the cluster is another one: %v", err)
		}
		if now := call(ctx, t, "order.v1.OrderService/GetOrder", get); now != before {
			t.Errorf("the database had %s and has %s", before, now)
		}
		if !ready(ctx, t) {
			t.Error("up succeeded, but status reports that the sandbox is not ready")
		}
	})
}

// TestUp_ForeignClusterOfTheSameName checks that a cluster is not changed or removed if its id differs from that of the state.
func TestUp_ForeignClusterOfTheSameName(t *testing.T) {
	feature(t, "a state that contradicts the labels", func(ctx context.Context, t *testing.T) {
		elsewhere := &provider{name: shared.name, binary: shared.binary, env: []string{"XDG_CONFIG_HOME=" + t.TempDir()}}
		state, err := os.ReadFile(filepath.Join(filepath.Dir(shared.GetKubeconfig()), "state.json"))
		if err != nil {
			t.Fatal(err)
		}
		other := bytes.Replace(state, []byte(`"id":"`), []byte(`"id":"0`), 1)
		if bytes.Equal(other, state) {
			t.Fatalf("the state has no id: %s", state)
		}
		file := filepath.Join(strings.TrimPrefix(elsewhere.env[0], "XDG_CONFIG_HOME="), "sandbox", shared.name, "state.json")
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, other, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"up", "down"} {
			if out, code, err := elsewhere.run(ctx, verb); err != nil || code != 3 {
				t.Errorf("%s ended with %d, %v: %s", verb, code, err, out)
			}
		}
		if !ready(ctx, t) {
			t.Error("the sandbox is no longer ready")
		}
	})
}

// TestUp_RepairsServiceSelector changes a selector so that it matches nothing. The pods are ready and a port-forward reaches them, but callers do
// not.
func TestUp_RepairsServiceSelector(t *testing.T) {
	feature(t, "a changed selector", func(ctx context.Context, t *testing.T) {
		services := connect(t).Kube.CoreV1().Services(charts.ShopNamespace)
		patch := []byte(`{"spec":{"selector":{"` + kube.ReleaseLabel + `":"nothing"}}}`)
		if _, err := services.Patch(ctx, "userservice", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
			t.Fatal(err)
		}
		out, _, err := shared.run(ctx, "status")
		if err != nil || !strings.Contains(out, "Service/userservice: changed spec.selector") {
			t.Errorf("status does not report the change: %v\n%s", err, out)
		}
		repair(ctx, t)
		now, err := services.Get(ctx, "userservice", metav1.GetOptions{})
		if err != nil || now.Spec.Selector[kube.ReleaseLabel] != "userservice" {
			t.Errorf("the selector is %v, %v", now.Spec.Selector, err)
		}
	})
	feature(t, "an added variable", func(ctx context.Context, t *testing.T) {
		deployments := connect(t).Kube.AppsV1().Deployments(charts.ShopNamespace)
		patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"paymentservice","env":[{"name":"ADDED_BY_HAND","value":"1"}]}]}}}}`)
		edited, err := deployments.Patch(ctx, "paymentservice", types.StrategicMergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"})
		if err != nil {
			t.Fatal(err)
		}
		if len(edited.Spec.Template.Spec.Containers) != 1 {
			t.Fatalf("the patch added a container: %v", edited.Spec.Template.Spec.Containers)
		}
		if err := shared.must(ctx, "up"); err != nil {
			t.Fatal(err)
		}
		now, err := deployments.Get(ctx, "paymentservice", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range now.Spec.Template.Spec.Containers[0].Env {
			if v.Name == "ADDED_BY_HAND" {
				t.Error("the added variable is still there")
			}
		}
	})
}

// TestRun_CleansUpAfterBrokenPipe runs `sandbox run breaker-trip | head -n 4`, so the pipe is closed in the middle of the run. That scenario changes
// something for some seconds, and every release stays ready.
func TestRun_CleansUpAfterBrokenPipe(t *testing.T) {
	feature(t, "run | head", func(ctx context.Context, t *testing.T) {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := shared.command(ctx, "run", "breaker-trip")
		cmd.Stdout, cmd.Stderr = writer, writer
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		head := exec.CommandContext(ctx, "head", "-n", "4")
		head.Stdin = reader
		if err := head.Run(); err != nil {
			t.Fatal(err)
		}
		reader.Close()
		code, err := exitCode(cmd.Wait())
		if err != nil || code < 0 || code > 1 {
			t.Errorf("run ended with %d, %v", code, err)
		}
		out, code, err := shared.run(ctx, "undo", "--list")
		if err != nil || code != 0 || !strings.Contains(out, "nothing is left behind") {
			t.Errorf("undo --list ended with %d, %v: %s", code, err, out)
		}
		if !ready(ctx, t) {
			t.Error("the sandbox is no longer ready")
		}
	})
}
