package kube

import (
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WithoutEndpoints returns the names of the Services with a label selector that have no ready pod. A port-forward reaches a pod without its
// Service, so pods that are ready and answer say nothing about the Service.
func (c *Client) WithoutEndpoints(ctx context.Context, namespace, selector string) ([]string, error) {
	services, err := c.Kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing services: %w", err)
	}
	parts, err := c.Kube.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing endpoints: %w", err)
	}
	behind := map[string]bool{}
	for i := range parts.Items {
		s := &parts.Items[i]
		if hasReady(s.Endpoints) {
			behind[s.Labels[discoveryv1.LabelServiceName]] = true
		}
	}
	var lacking []string
	for i := range services.Items {
		s := &services.Items[i]
		if len(s.Spec.Selector) > 0 && !behind[s.Name] {
			lacking = append(lacking, s.Name)
		}
	}
	return lacking, nil
}

// hasReady reports whether one endpoint is ready. A missing condition counts as ready, as the API specifies.
func hasReady(all []discoveryv1.Endpoint) bool {
	return slices.ContainsFunc(all, func(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready })
}
