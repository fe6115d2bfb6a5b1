package governance

import (
	"log/slog"
	"strconv"
	"time"

	"google.golang.org/grpc"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Config is what a program reads from its environment. The README lists the keys, units and defaults.
type Config struct {
	Service, Pod                         string
	ListenAddr, HealthAddr, MetricsAddr  string
	TLSDir                               string // plaintext when "off", for a laptop without a cluster
	PolicyFile                           string // the defaults when empty; see PolicyFile
	OTLPEndpoint                         string
	TraceRatio                           float64
	LogLevel                             slog.Level
	DrainDelay, DrainLimit               time.Duration
	MaxConcurrent                        int64 // see BreakerConfig
	MaxConnectionAge, MaxConnectionGrace time.Duration

	// Control are patterns of the methods by which the program itself is controlled: no policy and no fault touches them.
	Control []string
	// Options are applied to the server after those of this package: an interceptor among them runs inside of its own.
	Options []grpc.ServerOption
	// Ready is told the addresses once all three listen; for tests that listen on port 0.
	Ready func(Addresses)
}

// Addresses are where a running program listens.
type Addresses struct{ Service, Health, Metrics string }

// ConfigFromEnv reads the configuration; an error names the key and a value that would do.
func ConfigFromEnv(service string, getenv func(string) string) (Config, error) {
	text := func(key, fallback string) string {
		if v := getenv(key); v != "" {
			return v
		}
		return fallback
	}
	cfg := Config{
		Service:      text("SERVICE_NAME", service),
		ListenAddr:   text("LISTEN_ADDR", ":8443"),
		HealthAddr:   text("HEALTH_ADDR", ":8081"),
		MetricsAddr:  text("METRICS_ADDR", ":9464"),
		TLSDir:       text("TLS_DIR", "/etc/sandbox/tls"),
		PolicyFile:   getenv("POLICY_FILE"),
		OTLPEndpoint: getenv("OTEL_EXPORTER_OTLP_ENDPOINT"),
	}
	cfg.Pod = text("POD_NAME", cfg.Service)
	if err := cfg.LogLevel.UnmarshalText([]byte(text("LOG_LEVEL", "info"))); err != nil {
		return Config{}, remedy.Errorf(remedy.Value("debug, info, warn or error"), "reading LOG_LEVEL: %w", err)
	}
	ratio, err := strconv.ParseFloat(text("TRACE_RATIO", "1"), 64)
	if err != nil || ratio < 0 || ratio > 1 {
		return Config{}, remedy.Errorf(remedy.Value("0.1"), "reading TRACE_RATIO: %q is not a number from 0 to 1", getenv("TRACE_RATIO"))
	}
	cfg.TraceRatio = ratio
	cfg.MaxConcurrent, err = strconv.ParseInt(text("MAX_CONCURRENT", "100"), 10, 64)
	if err != nil || cfg.MaxConcurrent < 1 {
		return Config{}, remedy.Errorf(remedy.Value("100"), "reading MAX_CONCURRENT: %q is not a number of calls", getenv("MAX_CONCURRENT"))
	}
	for _, d := range []struct {
		key, fallback string
		least         time.Duration
		into          *time.Duration
	}{
		{"DRAIN_DELAY", "3s", 0, &cfg.DrainDelay},
		{"DRAIN_LIMIT", "15s", 0, &cfg.DrainLimit},
		{"MAX_CONNECTION_AGE", "30s", time.Second, &cfg.MaxConnectionAge},
		{"MAX_CONNECTION_GRACE", "10s", time.Millisecond, &cfg.MaxConnectionGrace},
	} {
		if *d.into, err = time.ParseDuration(text(d.key, d.fallback)); err != nil || *d.into < d.least {
			return Config{}, remedy.Errorf(remedy.Value(d.fallback), "reading %s: %q is not a duration of at least %s", d.key, getenv(d.key), d.least)
		}
	}
	return cfg, nil
}
