package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/util"
)

func runInjector(ctx context.Context) error {
	// Without a user agent, server-side apply fails with "fieldManager is required".
	rest := util.RestConfigWithUserAgent(ctrl.GetConfigOrDie(), "cainjector")
	m, err := ctrl.NewManager(rest, ctrl.Options{
		Metrics: metrics.Options{BindAddress: "0"},
		// The injector watches the metadata of Secrets. A second cache, of whole Secrets, may lag behind that watch: the injector
		// would then miss the Secret it was just notified of, and never look again.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	targets := map[string]bool{cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true}
	if err := cainjector.RegisterAllInjectors(ctx, m, cainjector.SetupOptions{EnabledReconcilersFor: targets}); err != nil {
		return err
	}
	return m.Start(ctx)
}
