// Package kube contains the operations on a Kubernetes cluster that the sandbox needs.
package kube

import (
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Labels and annotations that the charts set and this package reads.
const (
	// ReleaseLabel is on every pod. Its value is the name of the release.
	ReleaseLabel = "app.kubernetes.io/name"
)

// Client is a client of one cluster.
type Client struct {
	// Kube and Dynamic are clients with the same Config.
	Kube    kubernetes.Interface
	Dynamic dynamic.Interface
	Config  *rest.Config
}

// Connect reads a kubeconfig file. It does not call the cluster.
func Connect(kubeconfig string) (*Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", kubeconfig, err)
	}
	config.QPS, config.Burst = 100, 200
	config.UserAgent = "sandbox"
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting with %s: %w", kubeconfig, err)
	}
	d, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connecting with %s: %w", kubeconfig, err)
	}
	return &Client{Kube: k, Dynamic: d, Config: config}, nil
}
