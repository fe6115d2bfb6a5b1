package governance

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"
)

// TracingConfig says where spans go.
type TracingConfig struct {
	Service  string
	Pod      string
	Endpoint string    // OTLP gRPC: host:port, or a URL; spans are made and dropped when empty
	Identity *Identity // what an https URL is shown and may show; the system's authorities, and no certificate of ours, when nil
	Ratio    float64   // share of new traces kept, 0 to 1; a trace begun elsewhere follows its beginning
	Log      *slog.Logger
}

// NewTracing never waits for the collector: spans are sent in batches behind the calls, and dropped when there is nobody to take them.
// Call Shutdown on the result.
func NewTracing(ctx context.Context, cfg TracingConfig) (*sdktrace.TracerProvider, error) {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", cfg.Service),
			attribute.String("service.instance.id", cfg.Pod),
			attribute.String("k8s.pod.name", cfg.Pod))),
	}
	if cfg.Endpoint != "" {
		exporter, err := otlptracegrpc.New(ctx, exporterOptions(cfg)...)
		if err != nil {
			return nil, fmt.Errorf("making the trace exporter for %s: %w", cfg.Endpoint, err)
		}
		options = append(options, sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(time.Second), sdktrace.WithExportTimeout(3*time.Second)))
	}
	return sdktrace.NewTracerProvider(options...), nil
}

func exporterOptions(cfg TracingConfig) []otlptracegrpc.Option {
	// An outage of the collector costs its spans, not memory and retries here.
	options := []otlptracegrpc.Option{otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: false}), otlptracegrpc.WithTimeout(3 * time.Second)}
	if !strings.Contains(cfg.Endpoint, "://") {
		return append(options, otlptracegrpc.WithEndpoint(cfg.Endpoint), otlptracegrpc.WithInsecure())
	}
	options = append(options, otlptracegrpc.WithEndpointURL(cfg.Endpoint))
	if u, err := url.Parse(cfg.Endpoint); err == nil && u.Scheme == "https" && cfg.Identity != nil {
		options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(cfg.Identity.ClientTLS(u.Hostname()))))
	}
	return options
}

// reportTraceErrors sends what OpenTelemetry could not do to the log; it is process-wide, so only Run calls it.
func reportTraceErrors(log *slog.Logger) {
	seldom := newSeldom(log)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { seldom.warn("spans are lost", "error", err) }))
}
