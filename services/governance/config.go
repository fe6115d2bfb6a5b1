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

// Off switches a default off, where the comment of a field says so: no delay, no limit, no traces. A zero value means the default.
const Off = -1

// Config is the configuration of a program. ConfigFromEnv reads it from the environment; the README lists the keys, units and defaults. The zero value of
// a field means its default.
type Config struct {
	// Service is the name of the program in log records, events and spans. Pod is the name of its pod, by which a fault can be limited to some pods; the
	// default is Service.
	Service, Pod string
	// HealthAddr and MetricsAddr may be "off".
	ListenAddr, HealthAddr, MetricsAddr string
	// TLSDir is the folder of the certificate. "off" means plaintext, for use without a cluster.
	TLSDir string
	// PolicyFile is the path of the policy; empty means the defaults. See PolicyFile.
	PolicyFile string
	// OTLPEndpoint is where spans are sent; empty means that they are made and dropped. See TracingConfig.Endpoint.
	OTLPEndpoint string
	// LogLevel is the lowest level that is logged. Default: slog.LevelInfo.
	LogLevel slog.Level
	// Each of these may be Off. TraceRatio is explained at TracingConfig.Ratio, DrainDelay and DrainLimit at Drain, MaxConcurrent at BreakerConfig,
	// MaxConnectionAge and MaxConnectionGrace at ServerConfig.MaxAge and MaxAgeGrace, and LookupInterval at ClientConfig.
	TraceRatio                           float64
	DrainDelay, DrainLimit               time.Duration
	MaxConcurrent                        int64
	MaxConnectionAge, MaxConnectionGrace time.Duration
	LookupInterval                       time.Duration

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

// withDefaults sets what is not set.
func (c Config) withDefaults() Config {
	c.ListenAddr = cmp.Or(c.ListenAddr, ":8443")
	c.HealthAddr = cmp.Or(c.HealthAddr, ":8081")
	c.MetricsAddr = cmp.Or(c.MetricsAddr, ":9464")
	c.TLSDir = cmp.Or(c.TLSDir, "/etc/sandbox/tls")
	c.Pod = cmp.Or(c.Pod, c.Service)
	c.TraceRatio = cmp.Or(c.TraceRatio, 1)
	c.DrainDelay = cmp.Or(c.DrainDelay, 3*time.Second)
	c.DrainLimit = cmp.Or(c.DrainLimit, 15*time.Second)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 100)
	c.MaxConnectionAge = cmp.Or(c.MaxConnectionAge, defaultMaxAge)
	c.MaxConnectionGrace = cmp.Or(c.MaxConnectionGrace, defaultMaxAgeGrace)
	c.LookupInterval = cmp.Or(c.LookupInterval, defaultLookupInterval)
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
	ratio, err := strconv.ParseFloat(switchable(text("TRACE_RATIO", "1")), 64)
	// NaN is neither.
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		return Config{}, remedy.Errorf(remedy.Value("0.1"), "reading TRACE_RATIO: %q is not a number from 0 to 1", getenv("TRACE_RATIO"))
	}
	cfg.TraceRatio = cmp.Or(ratio, Off)
	concurrent := text("MAX_CONCURRENT", "100")
	cfg.MaxConcurrent, err = strconv.ParseInt(switchable(concurrent), 10, 64)
	if err != nil || cfg.MaxConcurrent < 1 && concurrent != off {
		return Config{}, remedy.Errorf(remedy.Value("100"), "reading MAX_CONCURRENT: %q is not a number of calls", getenv("MAX_CONCURRENT"))
	}
	cfg.MaxConcurrent = cmp.Or(cfg.MaxConcurrent, Off)
	for _, d := range []struct {
		key, fallback string
		least         time.Duration
		into          *time.Duration
	}{
		{"DRAIN_DELAY", "3s", 0, &cfg.DrainDelay},
		{"DRAIN_LIMIT", "15s", time.Millisecond, &cfg.DrainLimit},
		{"MAX_CONNECTION_AGE", "30s", time.Second, &cfg.MaxConnectionAge},
		{"MAX_CONNECTION_GRACE", "10s", time.Millisecond, &cfg.MaxConnectionGrace},
		{"LOOKUP_INTERVAL", "5s", time.Second, &cfg.LookupInterval},
	} {
		value := text(d.key, d.fallback)
		if *d.into, err = time.ParseDuration(switchable(value)); err != nil || *d.into < d.least && value != off {
			return Config{}, remedy.Errorf(remedy.Value(d.fallback), "reading %s: %q is not a duration of at least %s", d.key, getenv(d.key), d.least)
		}
		*d.into = cmp.Or(*d.into, Off)
	}
	return cfg, nil
}

// switchable returns the number of a key: 0 for off.
func switchable(value string) string {
	if value == off {
		return "0"
	}
	return value
}
