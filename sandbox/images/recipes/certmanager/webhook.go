package main

import (
	"context"
	"time"

	"github.com/go-logr/logr"

	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/webhook"
)

func runWebhook(ctx context.Context, log logr.Logger, namespace string) error {
	const service = "cert-manager-webhook"
	var o config.WebhookConfiguration
	o.SecurePort = 10250
	o.HealthzPort = 6080
	o.MetricsListenAddress = "0"
	o.TLSConfig.Dynamic.SecretNamespace = namespace
	o.TLSConfig.Dynamic.SecretName = "cert-manager-webhook-ca"
	o.TLSConfig.Dynamic.DNSNames = []string{service, service + "." + namespace, service + "." + namespace + ".svc"}
	o.TLSConfig.Dynamic.LeafDuration = 7 * 24 * time.Hour
	s, err := webhook.NewCertManagerWebhookServer(log, o)
	if err != nil {
		return err
	}
	return s.Run(ctx)
}
