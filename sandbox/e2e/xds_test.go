//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/live"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/control/api"
)

// xdsPod is the pod of the client without governance.
const xdsPod = "xds-client"

// xdsBootstrap is the bootstrap file that the page of the control plane recommends.
const xdsBootstrap = `{"xds_servers": [{"server_uri": "control.sandbox-system.svc:8443",
"channel_creds": [{"type": "tls", "config": {"certificate_file": "/etc/sandbox/tls/tls.crt", "private_key_file": "/etc/sandbox/tls/tls.key", "ca_certificate_file": "/etc/sandbox/tls/ca.crt"}}],
"server_features": ["xds_v3"]}],
"node": {"id": "shop/` + xdsPod + `"},
"certificate_providers": {"default": {"plugin_name": "file_watcher", "config": {"certificate_file": "/etc/sandbox/tls/tls.crt", "private_key_file": "/etc/sandbox/tls/tls.key", "ca_certificate_file": "/etc/sandbox/tls/ca.crt"}}}}`

// startXDSClient builds the program xdsclient and starts it in a pod, with the certificate of the load generator.
func startXDSClient(ctx context.Context, t *testing.T, c *live.Cluster) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "xdsclient")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "./xdsclient")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the client: %v\n%s", err, out)
	}
	const folder = "/var/lib/xdsclient"
	if _, err := c.Node.Engine.Run(ctx, "exec", c.Node.Node(), "mkdir", "-p", folder); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Node.Engine.Run(ctx, "cp", program, c.Node.Node()+":"+folder+"/xdsclient"); err != nil {
		t.Fatal(err)
	}
	generator, err := c.Kube.Kube.AppsV1().Deployments(charts.ShopNamespace).Get(ctx, charts.LoadGenerator, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// It differs from a pod of the load generator in its program only: that has no governance.
	spec := generator.Spec.Template.Spec
	container := spec.Containers[0]
	container.Name, container.Command, container.Ports = xdsPod, []string{"/xds/xdsclient"}, nil
	container.ReadinessProbe, container.LivenessProbe = nil, nil
	container.Env = []corev1.EnvVar{{Name: "TARGET", Value: "xds:///userservice"}, {Name: "RATE", Value: "50"}, {Name: "GRPC_XDS_BOOTSTRAP_CONFIG", Value: xdsBootstrap}}
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: "program", MountPath: "/xds", ReadOnly: true})
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "program", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: folder}}})
	spec.Containers = []corev1.Container{container}
	pods := c.Kube.Kube.CoreV1().Pods(charts.ShopNamespace)
	if _, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: xdsPod, Labels: map[string]string{"app.kubernetes.io/name": xdsPod}}, Spec: spec}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		fresh := context.WithoutCancel(ctx)
		if err := pods.Delete(fresh, xdsPod, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		await(fresh, t, "the pod of the client is gone", func(ctx context.Context) (bool, error) {
			_, err := pods.Get(ctx, xdsPod, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
	})
}

// second is a line that the client prints.
type second struct {
	Codes     map[string]int `json:"codes"`
	SlowestMS int64          `json:"slowestMs"`
}

// lastSecond returns the last line that the client has printed.
func lastSecond(ctx context.Context, c *live.Cluster) (s second, lines int, err error) {
	stream, err := c.Kube.Kube.CoreV1().Pods(charts.ShopNamespace).GetLogs(xdsPod, &corev1.PodLogOptions{}).Stream(ctx)
	if err != nil {
		return s, 0, err
	}
	defer func() { _ = stream.Close() }()
	scanner := bufio.NewScanner(stream)
	for scanner.Scan() {
		if line := scanner.Text(); strings.HasPrefix(line, "{") {
			s = second{}
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				return s, lines, err
			}
			lines++
		}
	}
	return s, lines, scanner.Err()
}

// awaitSecond waits until a second of calls meets a condition.
func awaitSecond(ctx context.Context, t *testing.T, c *live.Cluster, what string, met func(second) bool) {
	t.Helper()
	var last second
	var failed error
	defer func() {
		if t.Failed() {
			t.Logf("the last second: %+v, %v", last, failed)
		}
	}()
	await(ctx, t, what, func(ctx context.Context) (bool, error) {
		// The container may not have started.
		last, _, failed = lastSecond(ctx, c)
		return failed == nil && met(last), nil
	})
}

// TestXDS_ClientOfGRPC deploys a client that receives its configuration over gRPC's own xDS, and no other.
func TestXDS_ClientOfGRPC(t *testing.T) {
	feature(t, "a grpc-go client without governance", func(ctx context.Context, t *testing.T) {
		c := open(ctx, t)
		startXDSClient(ctx, t, c)
		answered := func(s second) bool { return s.Codes["OK"] >= 40 && len(s.Codes) == 1 }
		awaitSecond(ctx, t, c, "calls over mutual TLS are answered", answered)
		objects := objectsOf(ctx, t, c)
		remove := func(kind, name string) {
			if err := objects.Delete(context.WithoutCancel(ctx), kind, name); err != nil {
				t.Error(err)
			}
		}
		// grpc-go has no breaker that counts failures, so the policy is not enforced as a whole, and Put would wait in vain.
		policies := c.Kube.Dynamic.Resource(api.GroupVersion.WithResource("trafficpolicies")).Namespace(charts.ShopNamespace)
		spec := ofUserservice(`"methods":[{"method":"user.v1.UserService/GetUser","deadline":{"timeout":"300ms"},"breaker":{"failureRatio":0.9}}]`)
		if _, err := policies.Create(ctx, object(t, "TrafficPolicy", "over-xds", spec), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		defer remove(target.TrafficPolicy, "over-xds")
		await(ctx, t, "the client has a verdict on each field", func(ctx context.Context) (bool, error) {
			verdicts, err := verdictsOf(ctx, c, "over-xds")
			return verdicts["methods[0].deadline.timeout"] == "APPROXIMATED" && verdicts["methods[0].breaker.failureRatio"] == "IGNORED", err
		})
		awaitSecond(ctx, t, c, "calls are still answered", answered)
		// Each call of the client now takes a second, which the time-out of the policy does not allow.
		fault := ofUserservice(`"method":"user.v1.UserService/GetUser","metadata":{"x-client":"xdsclient"},"delay":{"fixed":"1s"},"leaseSeconds":10`)
		if err := objects.Put(ctx, target.Object{Kind: target.Fault, Name: "over-xds", Spec: fault}); err != nil {
			t.Fatal(err)
		}
		defer remove(target.Fault, "over-xds")
		awaitSecond(ctx, t, c, "calls end at the time-out of the policy", func(s second) bool {
			return s.Codes["DeadlineExceeded"] >= 40 && len(s.Codes) == 1 && s.SlowestMS < 900
		})
	})
}

// verdictsOf returns what the client does with each field of a policy.
func verdictsOf(ctx context.Context, c *live.Cluster, policy string) (map[string]string, error) {
	subscribers, err := c.Subscribers(ctx, "TrafficPolicy", policy)
	if err != nil {
		return nil, err
	}
	verdicts := map[string]string{}
	for _, s := range subscribers {
		if s.GetPod() != xdsPod {
			continue
		}
		for _, f := range s.GetFields() {
			verdicts[f.GetField()] = strings.TrimPrefix(fmt.Sprint(f.GetVerdict()), "VERDICT_")
		}
	}
	return verdicts, nil
}
