package kube

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// WaitForNodes waits until there is a node and every node is ready. After the timeout the error describes the last state.
func (c *Client) WaitForNodes(ctx context.Context, limit time.Duration) error {
	why := errors.New("the API server did not answer")
	err := pause.UntilWithin(ctx, 200*time.Millisecond, limit, func(ctx context.Context) (bool, error) {
		nodes, err := c.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err == nil {
			err = notReadyNodes(nodes.Items)
		}
		// Keep the last state if this request was cut off by the timeout.
		if ctx.Err() == nil {
			why = err
		}
		return err == nil, nil
	})
	if err != nil {
		return remedy.Errorf(remedy.Command("doctor"), "waiting for the node: %w", errors.Join(err, why))
	}
	return nil
}

func notReadyNodes(nodes []corev1.Node) error {
	if len(nodes) == 0 {
		return errors.New("there is no node")
	}
	var lacking []string
	for _, n := range nodes {
		status, message := corev1.ConditionUnknown, "it has not reported its status"
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				status, message = c.Status, c.Message
			}
		}
		if status != corev1.ConditionTrue {
			lacking = append(lacking, n.Name+": "+message)
		}
	}
	if len(lacking) > 0 {
		return errors.New(strings.Join(lacking, "; "))
	}
	return nil
}
