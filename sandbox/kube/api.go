package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// WaitForAPI waits until the API server reports that it is ready.
func (c *Client) WaitForAPI(ctx context.Context, limit time.Duration) error {
	var last error
	err := pause.UntilWithin(ctx, 200*time.Millisecond, limit, func(ctx context.Context) (bool, error) {
		_, err := c.Kube.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
		// Keep the last answer if this request was cut off by the timeout.
		if ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		return remedy.Errorf(remedy.Command("doctor"), "waiting for the cluster to answer: %w", errors.Join(err, last))
	}
	return nil
}

// EnsureNamespace creates a namespace if it does not exist, and makes sure that it has the labels.
func (c *Client) EnsureNamespace(ctx context.Context, name string, labels map[string]string) error {
	namespaces := c.Kube.CoreV1().Namespaces()
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var patch []byte
		if patch, err = json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}}); err == nil {
			_, err = namespaces.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		}
	}
	if err != nil {
		return fmt.Errorf("creating namespace %s: %w", name, err)
	}
	return nil
}
