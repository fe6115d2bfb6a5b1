package order

import (
	"time"
)

// Config configures the service. The zero value of each field selects the default in its comment.
type Config struct {
	// Users, Inventory and Payment are the addresses of the other services. Default: dns:///<service>-headless.shop.svc:8443.
	Users, Inventory, Payment string
	// Lease is how long an order belongs to its worker after each step. Default: 10s.
	Lease time.Duration
	// Limit is how long CreateOrder takes at most, and how long undoing an order may take after that. It must be shorter than Lease. Default: 4s.
	Limit time.Duration
	// Every is the interval at which unfinished orders are looked for. Default: 1s.
	Every time.Duration
	// PruneAge is how long a finished order, and its idempotency key, is kept. It must be much longer than Lease and any deadline. Default: 1h.
	PruneAge time.Duration
	// PruneEvery is the interval at which old orders are looked for. Default: 1m.
	PruneEvery time.Duration
	// Profiles is the number of users that are remembered, for orders that are placed while UserService is down. Default: 10000.
	Profiles int
	// ProfileAge is how long a remembered user can replace an answer of UserService. Default: 1h.
	ProfileAge time.Duration
	// At is called at each point where a crash must be harmless; for tests.
	At func(string)
}

// ConfigFromEnv reads USERS_ADDR, INVENTORY_ADDR and PAYMENT_ADDR.
func ConfigFromEnv(getenv func(string) string) Config {
	return Config{Users: getenv("USERS_ADDR"), Inventory: getenv("INVENTORY_ADDR"), Payment: getenv("PAYMENT_ADDR")}
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		address *string
		service string
	}{{&c.Users, "userservice"}, {&c.Inventory, "inventoryservice"}, {&c.Payment, "paymentservice"}} {
		if *d.address == "" {
			*d.address = "dns:///" + d.service + "-headless.shop.svc:8443"
		}
	}
	for _, d := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{{&c.Lease, 10 * time.Second}, {&c.Limit, 4 * time.Second}, {&c.Every, time.Second}, {&c.ProfileAge, time.Hour},
		{&c.PruneAge, time.Hour}, {&c.PruneEvery, time.Minute}} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	if c.Profiles == 0 {
		c.Profiles = 10_000
	}
	if c.At == nil {
		c.At = func(string) {}
	}
	return c
}
