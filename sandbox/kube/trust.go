package kube

import (
	"bytes"
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

const (
	partOf    = "app.kubernetes.io/part-of"
	bundleKey = "ca.crt"
)

// bundleSelector selects the trust bundles of all namespaces.
const bundleSelector = "sandbox.dev/trust=bundle"

// TrustBundle returns the roots that workloads of a namespace trust, as PEM.
func (c *Client) TrustBundle(ctx context.Context, namespace string) ([]byte, error) {
	m, err := c.Kube.CoreV1().ConfigMaps(namespace).Get(ctx, charts.TrustBundle, metav1.GetOptions{})
	if err != nil {
		return nil, remedy.Wrap(fmt.Errorf("reading the trust bundle of namespace %s: %w", namespace, err), remedy.Command("up"))
	}
	return []byte(m.Data[bundleKey]), nil
}

// TrustBundles returns the bundle of each namespace that has one.
func (c *Client) TrustBundles(ctx context.Context) (map[string][]byte, error) {
	list, err := c.Kube.CoreV1().ConfigMaps("").List(ctx, metav1.ListOptions{LabelSelector: bundleSelector})
	if err != nil {
		return nil, fmt.Errorf("listing the trust bundles: %w", err)
	}
	all := map[string][]byte{}
	for _, m := range list.Items {
		all[m.Namespace] = []byte(m.Data[bundleKey])
	}
	return all, nil
}

// SetTrustBundle writes the bundle of a namespace, unless it is up to date.
func (c *Client) SetTrustBundle(ctx context.Context, namespace string, bundle []byte) error {
	configs := c.Kube.CoreV1().ConfigMaps(namespace)
	want := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: charts.TrustBundle, Labels: map[string]string{partOf: "sandbox", "sandbox.dev/trust": "bundle"}},
		Data:       map[string]string{bundleKey: string(bundle)},
	}
	have, err := configs.Get(ctx, charts.TrustBundle, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = configs.Create(ctx, want, metav1.CreateOptions{})
	case err == nil && have.Data[bundleKey] != string(bundle):
		want.ResourceVersion = have.ResourceVersion
		_, err = configs.Update(ctx, want, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("writing the trust bundle of namespace %s: %w", namespace, err)
	}
	return nil
}

// Secret returns the data of a Secret and its version. The data is nil if there is no such Secret.
func (c *Client) Secret(ctx context.Context, namespace, name string) (data map[string][]byte, version string, err error) {
	s, err := c.Kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("reading secret %s/%s: %w", namespace, name, err)
	}
	data = s.Data
	if data == nil {
		data = map[string][]byte{}
	}
	return data, s.ResourceVersion, nil
}

// PutSecret creates a TLS Secret, or replaces the one that has this version, and returns the new version. It fails if the stored version differs.
func (c *Client) PutSecret(ctx context.Context, namespace, name string, data map[string][]byte, version string) (string, error) {
	secrets := c.Kube.CoreV1().Secrets(namespace)
	want := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, ResourceVersion: version, Labels: map[string]string{partOf: "sandbox"}},
		Type:       corev1.SecretTypeTLS, Data: maps.Clone(data),
	}
	var got *corev1.Secret
	var err error
	if version == "" {
		got, err = secrets.Create(ctx, want, metav1.CreateOptions{})
	} else {
		got, err = secrets.Update(ctx, want, metav1.UpdateOptions{})
	}
	if err != nil {
		return "", fmt.Errorf("writing secret %s/%s: %w", namespace, name, err)
	}
	return got.ResourceVersion, nil
}

// DeleteSecret removes a Secret if it contains this certificate.
func (c *Client) DeleteSecret(ctx context.Context, namespace, name string, certificate []byte) error {
	data, version, err := c.Secret(ctx, namespace, name)
	if err != nil || data == nil || !bytes.Equal(data["tls.crt"], certificate) {
		return err
	}
	err = c.Kube.CoreV1().Secrets(namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &version}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("removing secret %s/%s: %w", namespace, name, err)
	}
	return nil
}
