package governance

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestConfigFromEnv_DefaultsAndErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		says string
		ok   func(Config) bool
	}{
		{"an empty environment has the defaults", nil, "", func(c Config) bool {
			return c.Service == "userservice" && c.Pod == "userservice" && c.ListenAddr == ":8443" && c.HealthAddr == ":8081" &&
				c.MetricsAddr == ":9464" && c.TLSDir == "/etc/sandbox/tls" && c.TraceRatio == 1 && c.LogLevel == slog.LevelInfo &&
				c.DrainDelay == 3*time.Second && c.MaxConnectionAge == 30*time.Second && c.OTLPEndpoint == "" && c.MaxConcurrent == 100
		}},
		{"every key is read", map[string]string{"SERVICE_NAME": "a", "POD_NAME": "b", "LISTEN_ADDR": ":1", "HEALTH_ADDR": ":2",
			"METRICS_ADDR": ":3", "TLS_DIR": "off", "OTEL_EXPORTER_OTLP_ENDPOINT": "x:4317", "LOG_LEVEL": "debug", "TRACE_RATIO": "0.1",
			"DRAIN_DELAY": "1s", "DRAIN_LIMIT": "2s", "MAX_CONNECTION_AGE": "3s", "MAX_CONNECTION_GRACE": "4s", "MAX_CONCURRENT": "7"}, "", func(c Config) bool {
			return c.Service == "a" && c.Pod == "b" && c.ListenAddr == ":1" && c.HealthAddr == ":2" && c.MetricsAddr == ":3" &&
				c.TLSDir == "off" && c.OTLPEndpoint == "x:4317" && c.LogLevel == slog.LevelDebug && c.TraceRatio == 0.1 &&
				c.DrainDelay == time.Second && c.DrainLimit == 2*time.Second && c.MaxConnectionAge == 3*time.Second && c.MaxConnectionGrace == 4*time.Second && c.MaxConcurrent == 7
		}},
		{"every default is off", map[string]string{"TRACE_RATIO": "off", "DRAIN_DELAY": "off", "DRAIN_LIMIT": "off", "MAX_CONNECTION_AGE": "off",
			"MAX_CONNECTION_GRACE": "off", "MAX_CONCURRENT": "off", "LOOKUP_INTERVAL": "off"}, "", func(c Config) bool {
			return c.TraceRatio == Off && c.DrainDelay == Off && c.DrainLimit == Off && c.MaxConnectionAge == Off && c.MaxConnectionGrace == Off &&
				c.MaxConcurrent == Off && c.LookupInterval == Off
		}},
		{"no traces and no delay by their numbers", map[string]string{"TRACE_RATIO": "0", "DRAIN_DELAY": "0s"}, "", func(c Config) bool {
			return c.TraceRatio == Off && c.DrainDelay == Off
		}},
		{"an unknown level", map[string]string{"LOG_LEVEL": "loud"}, `LOG_LEVEL: "loud" is not a level; try: debug, info, warn or error`, nil},
		{"no concurrent calls", map[string]string{"MAX_CONCURRENT": "0"}, "MAX_CONCURRENT", nil},
		{"a ratio that is no number", map[string]string{"TRACE_RATIO": "NaN"}, `TRACE_RATIO: "NaN" is not a number from 0 to 1`, nil},
		{"a percentage", map[string]string{"TRACE_RATIO": "10%"}, `TRACE_RATIO: "10%" is not a number from 0 to 1; try: 0.1`, nil},
		{"no limit of the drain, which would mean the default", map[string]string{"DRAIN_LIMIT": "0s"}, `DRAIN_LIMIT: "0s" is not a duration of at least 1ms; try: 15s`, nil},
		{"a ratio over 1", map[string]string{"TRACE_RATIO": "2"}, "TRACE_RATIO", nil},
		{"a duration without a unit", map[string]string{"DRAIN_DELAY": "3"}, `DRAIN_DELAY: "3" is not a duration of at least 0s; try: 3s`, nil},
		{"connections that end immediately", map[string]string{"MAX_CONNECTION_AGE": "0s"}, `MAX_CONNECTION_AGE: "0s" is not a duration of at least 1s; try: 30s`, nil},
		{"no grace", map[string]string{"MAX_CONNECTION_GRACE": "0"}, "MAX_CONNECTION_GRACE", nil},
		{"a pod without a name has the service's", map[string]string{"SERVICE_NAME": "a"}, "", func(c Config) bool { return c.Pod == "a" }},
		{"a negative duration", map[string]string{"DRAIN_LIMIT": "-1s"}, "DRAIN_LIMIT", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ConfigFromEnv("userservice", func(key string) string { return c.env[key] })
			if c.says == "" {
				if err != nil || !c.ok(got) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(remedy.Line(err, nil), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestConfig_Defaults(t *testing.T) {
	got := fmt.Sprintf("%+v", Config{Service: "x"}.withDefaults())
	fromEnv, err := ConfigFromEnv("x", func(string) string { return "" })
	must(t, err)
	if want := fmt.Sprintf("%+v", fromEnv); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
