package governance

import (
	"cmp"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// Config is the configuration of a program. ConfigFromEnv reads it from the environment; the README lists the keys, units and defaults. The zero value of
// a field means its default, except for DrainDelay and TraceRatio, where it is 0.
type Config struct {
	Service, Pod string
	// HealthAddr and MetricsAddr may be "off".
	ListenAddr, HealthAddr, MetricsAddr string
	// TLSDir is the folder of the certificate. "off" means plaintext, for use without a cluster.
	TLSDir string
	// PolicyFile is the path of the policy; empty means the defaults. See PolicyFile.
	PolicyFile             string
	OTLPEndpoint           string
	TraceRatio             float64
	LogLevel               slog.Level
	DrainDelay, DrainLimit time.Duration
	// MaxConcurrent is explained at BreakerConfig.
	MaxConcurrent                        int64
	MaxConnectionAge, MaxConnectionGrace time.Duration

	// Gateways are the identities whose PartnerHeader is believed. From other callers, the header is removed.
	Gateways []string
	// Control has patterns of the methods that control the program. No policy and no fault applies to them.
	Control []string
	// Options are applied to the server after those of this package. An interceptor among them runs inside those of this package.
	Options []grpc.ServerOption
	// Tap is called with the headers of each call; see ServerConfig.Tap.
	Tap tap.ServerInHandle
	// DialOptions are applied to the connections of Process.Dial after those of this package. An interceptor among them runs inside those of this
	// package, once for each attempt of a unary call.
	DialOptions []grpc.DialOption
	// NoReflection switches server reflection off.
	NoReflection bool
	// Listeners are used instead of the addresses. Run closes them.
	Listeners Listeners
	// Metrics says where metrics are registered and what they are called.
	Metrics MetricsConfig
	// Tracing makes the spans; the program shuts it down. Default: a provider that follows OTLPEndpoint and TraceRatio.
	Tracing trace.TracerProvider
	// Ready is called with the addresses when the program listens on all of them. It is for tests that listen on port 0.
	Ready func(Addresses)
}

// withDefaults sets what a program needs in any case. A zero DrainDelay and a zero TraceRatio mean no delay and no traces.
func (c Config) withDefaults() Config {
	c.ListenAddr = cmp.Or(c.ListenAddr, ":8443")
	c.HealthAddr = cmp.Or(c.HealthAddr, ":8081")
	c.MetricsAddr = cmp.Or(c.MetricsAddr, ":9464")
	c.TLSDir = cmp.Or(c.TLSDir, "/etc/sandbox/tls")
	c.Pod = cmp.Or(c.Pod, c.Service)
	c.DrainLimit = cmp.Or(c.DrainLimit, 15*time.Second)
	return c
}

// ConfigFromEnv reads the configuration. An error names the key and a valid value.
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
	for _, id := range strings.Split(getenv("GATEWAYS"), ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if _, err := spiffeid.FromString(id); err != nil {
			return Config{}, remedy.Errorf(remedy.Value("spiffe://sandbox.local/ns/shop/sa/gateway"), "reading GATEWAYS: %q: %w", id, err)
		}
		cfg.Gateways = append(cfg.Gateways, id)
	}
	if err := cfg.LogLevel.UnmarshalText([]byte(text("LOG_LEVEL", "info"))); err != nil {
		return Config{}, remedy.Errorf(remedy.Value("debug, info, warn or error"), "reading LOG_LEVEL: %q is not a level", getenv("LOG_LEVEL"))
	}
	ratio, err := strconv.ParseFloat(text("TRACE_RATIO", "1"), 64)
	// NaN is neither.
	if err != nil || !(ratio >= 0 && ratio <= 1) {
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
		{"DRAIN_LIMIT", "15s", time.Millisecond, &cfg.DrainLimit},
		{"MAX_CONNECTION_AGE", "30s", time.Second, &cfg.MaxConnectionAge},
		{"MAX_CONNECTION_GRACE", "10s", time.Millisecond, &cfg.MaxConnectionGrace},
	} {
		if *d.into, err = time.ParseDuration(text(d.key, d.fallback)); err != nil || *d.into < d.least {
			return Config{}, remedy.Errorf(remedy.Value(d.fallback), "reading %s: %q is not a duration of at least %s", d.key, getenv(d.key), d.least)
		}
	}
	return cfg, nil
}
