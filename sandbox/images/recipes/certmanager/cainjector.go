package main

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/util"
)

func runInjector(ctx context.Context) error {
	// Without a user agent, server-side apply fails with "fieldManager is required".
	rest := util.RestConfigWithUserAgent(ctrl.GetConfigOrDie(), "cainjector")
	m, err := ctrl.NewManager(rest, ctrl.Options{Metrics: metrics.Options{BindAddress: "0"}})
	if err != nil {
		return err
	}
	targets := map[string]bool{cainjector.MutatingWebhookConfigurationName: true, cainjector.ValidatingWebhookConfigurationName: true}
	if err := cainjector.RegisterAllInjectors(ctx, m, cainjector.SetupOptions{EnabledReconcilersFor: targets}); err != nil {
		return err
	}
	return m.Start(ctx)
}
