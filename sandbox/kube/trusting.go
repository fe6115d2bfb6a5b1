package kube

import (
	"context"
	"fmt"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
)

// TrustingPod is a pod that mounts the trust bundle.
type TrustingPod struct {
	Namespace, Name string
	// Release is the name of the release.
	Release string
	// Running means that the phase of the pod is Running.
	Running bool
	// At is the value of the annotation charts.CertificatesAt.
	At string
}

// TrustingPods lists the pods of all namespaces that mount the trust bundle, except those that have terminated.
func (c *Client) TrustingPods(ctx context.Context) ([]TrustingPod, error) {
	list, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods that mount the trust bundle: %w", err)
	}
	var all []TrustingPod
	for i := range list.Items {
		p := &list.Items[i]
		if mountsBundle(p) && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			all = append(all, TrustingPod{p.Namespace, p.Name, p.Labels[ReleaseLabel], p.Status.Phase == corev1.PodRunning, p.Annotations[charts.CertificatesAt]})
		}
	}
	return all, nil
}

func mountsBundle(p *corev1.Pod) bool {
	for _, v := range p.Spec.Volumes {
		if v.ConfigMap != nil && v.ConfigMap.Name == charts.TrustBundle {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil && s.ConfigMap.Name == charts.TrustBundle {
				return true
			}
		}
	}
	return false
}

// PodMetrics reads the metrics of a pod through the API server.
func (c *Client) PodMetrics(ctx context.Context, namespace, pod string, port int) ([]byte, error) {
	data, err := c.Kube.CoreV1().Pods(namespace).ProxyGet("http", pod, strconv.Itoa(port), "metrics", nil).DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of pod %s: %w", pod, err)
	}
	return data, nil
}

// DialPod connects to a port of a pod. Closing the connection ends the port-forward too.
func (c *Client) DialPod(ctx context.Context, namespace, pod string, port int) (net.Conn, error) {
	f, err := c.ForwardPod(ctx, namespace, pod, port)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", f.Address)
	if err != nil {
		f.Close()
		return nil, err
	}
	return forwarded{conn, f}, nil
}

type forwarded struct {
	net.Conn
	forward *Forward
}

func (f forwarded) Close() error {
	err := f.Conn.Close()
	f.forward.Close()
	return err
}
