package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Forward is a port of a pod on this machine's loopback.
type Forward struct {
	// Address has the form "127.0.0.1:port".
	Address string
	// Pod is the name of the pod.
	Pod  string
	stop context.CancelFunc
	// ended is closed when the forwarding ends. err is set before.
	ended chan struct{}
	err   error
}

// Forward forwards a port of one ready pod of a release. It lasts until Close is called or the pod is gone: see Ended.
func (c *Client) Forward(ctx context.Context, namespace, release string, port int) (*Forward, error) {
	pod, err := c.readyPod(ctx, namespace, release)
	if err != nil {
		return nil, err
	}
	return c.ForwardPod(ctx, namespace, pod, port)
}

// ForwardPod forwards a port of one pod.
func (c *Client) ForwardPod(ctx context.Context, namespace, pod string, port int) (*Forward, error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	url := c.Kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	// ctx bounds only the opening.
	open, stop := context.WithCancel(context.WithoutCancel(ctx))
	ready := make(chan struct{})
	pf, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("0:%d", port)}, open.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		stop()
		return nil, err
	}
	f := startForward(pod, stop, pf.ForwardPorts)
	select {
	case <-ready:
	case <-f.ended:
		stop()
		return nil, fmt.Errorf("forwarding port %d of pod %s: %w", port, pod, f.err)
	case <-ctx.Done():
		// Do not wait for it: dialling a node that does not answer takes no context.
		stop()
		return nil, ctx.Err()
	}
	ports, err := pf.GetPorts()
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Address = fmt.Sprintf("127.0.0.1:%d", ports[0].Local)
	return f, nil
}

// startForward runs forward, which returns soon after stop was called.
func startForward(pod string, stop context.CancelFunc, forward func() error) *Forward {
	f := &Forward{Pod: pod, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		f.err = forward()
	}()
	return f
}

// Close stops the forwarding and waits until it has ended. It may be called again.
func (f *Forward) Close() {
	f.stop()
	<-f.ended
}

// Done returns a channel that is closed when the forwarding ends.
func (f *Forward) Done() <-chan struct{} { return f.ended }

// Ended reports whether the forwarding is over because its pod is gone.
func (f *Forward) Ended() bool {
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}

func (c *Client) readyPod(ctx context.Context, namespace, release string) (string, error) {
	pods, err := c.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: ReleaseLabel + "=" + release})
	if err != nil {
		return "", fmt.Errorf("finding a pod of %s: %w", release, err)
	}
	var names []string
	for i := range pods.Items {
		if p := &pods.Items[i]; p.DeletionTimestamp == nil && isReady(p) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "", remedy.Errorf(remedy.Command("status"), "finding a pod of %s: none of %d is ready", release, len(pods.Items))
	}
	slices.SortFunc(names, strings.Compare)
	return names[0], nil
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
