package loadgen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// Target is a service that can be called.
type Target struct {
	// Name is the name of the service, such as userservice.
	Name string
	// Address is its gRPC target, such as dns:///userservice-headless.shop.svc:8443. Its certificate must be valid for the host.
	Address string
}

// Config is the configuration of the load generator, in addition to governance.Config.
type Config struct {
	// Targets are the services that loads may call, by name.
	Targets map[string]Target
	// BackgroundTarget is the name of the target of the background load.
	BackgroundTarget string
	// BackgroundRate is in calls per second. 0 means no background load.
	BackgroundRate float64
	// OrdersTarget is the target of the background load of orders. Empty means that there is none.
	OrdersTarget string
	// OrdersRate is in orders per second. 0 means no background load of orders.
	OrdersRate float64
}

const defaultTargets = "userservice=dns:///userservice-headless.shop.svc:8443"

// ConfigFromEnv reads TARGETS, BACKGROUND_TARGET, BACKGROUND_RATE, BACKGROUND_ORDERS_TARGET and BACKGROUND_ORDERS_RATE.
func ConfigFromEnv(getenv func(string) string) (Config, error) {
	text := func(key, fallback string) string {
		if v := getenv(key); v != "" {
			return v
		}
		return fallback
	}
	targets, err := parseTargets(text("TARGETS", defaultTargets))
	if err != nil {
		return Config{}, err
	}
	rate, err := parseRate(text("BACKGROUND_RATE", "20"))
	if err != nil {
		return Config{}, remedy.Errorf(remedy.Value("20"), "reading BACKGROUND_RATE: %w", err)
	}
	orders, err := parseRate(text("BACKGROUND_ORDERS_RATE", "5"))
	if err != nil {
		return Config{}, remedy.Errorf(remedy.Value("5"), "reading BACKGROUND_ORDERS_RATE: %w", err)
	}
	cfg := Config{Targets: targets, BackgroundTarget: text("BACKGROUND_TARGET", "userservice"), BackgroundRate: rate,
		OrdersTarget: getenv("BACKGROUND_ORDERS_TARGET"), OrdersRate: orders}
	if _, known := targets[cfg.BackgroundTarget]; !known && rate > 0 {
		return Config{}, remedy.Errorf(remedy.Value("BACKGROUND_RATE=0"), "reading BACKGROUND_TARGET: %q is not in TARGETS", cfg.BackgroundTarget)
	}
	if _, known := targets[cfg.OrdersTarget]; !known && cfg.sellsInBackground() {
		return Config{}, remedy.Errorf(remedy.Value("BACKGROUND_ORDERS_RATE=0"), "reading BACKGROUND_ORDERS_TARGET: %q is not in TARGETS", cfg.OrdersTarget)
	}
	return cfg, nil
}

func (c Config) sellsInBackground() bool { return c.OrdersTarget != "" && c.OrdersRate > 0 }

func parseTargets(list string) (map[string]Target, error) {
	targets := map[string]Target{}
	for item := range strings.SplitSeq(list, ",") {
		name, address, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok || name == "" || address == "" {
			return nil, remedy.Errorf(remedy.Value(defaultTargets), "reading TARGETS: %q is no name=address", item)
		}
		targets[name] = Target{Name: name, Address: address}
	}
	return targets, nil
}

func parseRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of calls per second", text)
	}
	return rate, loadspec.CheckRate(rate)
}
