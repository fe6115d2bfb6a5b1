package governance

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc/credentials"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// TracingConfig describes where spans are sent.
type TracingConfig struct {
	// Service and Pod identify the sender of the spans: service.name, and both service.instance.id and k8s.pod.name.
	Service string
	Pod     string
	// Endpoint is an OTLP gRPC endpoint, as host:port or URL. If it is empty, spans are made and dropped.
	Endpoint string
	// Identity is used for mutual TLS with an https URL. If it is nil, the system's authorities are trusted, and no certificate is presented.
	Identity *Identity
	// Ratio is the share of new traces that is kept, from 0 to 1. A trace that started elsewhere keeps its decision.
	Ratio float64
	// Log receives log records. Default: slog.Default().
	Log *slog.Logger
	// IDs makes the ids of spans. Default: random ones.
	IDs sdktrace.IDGenerator
}

// NewTracing returns a provider that never blocks calls: spans are sent in batches in the background, and dropped if the collector is
// unavailable, which is logged at most every 10 s. The caller calls Shutdown.
func NewTracing(ctx context.Context, cfg TracingConfig) (*sdktrace.TracerProvider, error) {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", cfg.Service),
			attribute.String("service.instance.id", cfg.Pod),
			attribute.String("k8s.pod.name", cfg.Pod))),
	}
	if cfg.IDs != nil {
		options = append(options, sdktrace.WithIDGenerator(cfg.IDs))
	}
	if cfg.Endpoint != "" {
		if !isEndpoint(cfg.Endpoint) {
			return nil, remedy.Errorf(remedy.Value("https://jaeger.sandbox-system.svc:4317"), "reading the address of the trace collector: %q is neither host:port nor a URL of http or https", cfg.Endpoint)
		}
		exporter, err := otlptracegrpc.New(ctx, exporterOptions(cfg)...)
		if err != nil {
			return nil, fmt.Errorf("making the trace exporter for %s: %w", cfg.Endpoint, err)
		}
		if cfg.Log == nil {
			cfg.Log = slog.Default()
		}
		options = append(options, sdktrace.WithBatcher(loggedExporter{exporter, newThrottledLog(cfg.Log)}, sdktrace.WithBatchTimeout(time.Second), sdktrace.WithExportTimeout(3*time.Second)))
	}
	return sdktrace.NewTracerProvider(options...), nil
}

// isEndpoint reports whether spans can be sent to an address. The exporter accepts any text, and then loses the spans.
func isEndpoint(text string) bool {
	if !strings.Contains(text, "://") {
		_, port, err := net.SplitHostPort(text)
		return err == nil && port != ""
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func exporterOptions(cfg TracingConfig) []otlptracegrpc.Option {
	// During an outage of the collector, spans are dropped instead of being stored and retried.
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

// loggedExporter logs the errors of an exporter. Returned to the SDK, they would go to OpenTelemetry's error handler, which is process-wide.
type loggedExporter struct {
	sdktrace.SpanExporter
	log *throttledLog
}

// ExportSpans sends spans, or drops them and logs why.
func (e loggedExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.log.warn("spans are lost", "error", err)
	}
	return nil
}
