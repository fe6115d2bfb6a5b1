package order

import (
	"time"
)

// Config says where the other services are. The zero value of each field means what stands beside it.
type Config struct {
	Users, Inventory, Payment string        // dns:///<service>-headless.shop.svc:8443
	Lease                     time.Duration // 10s: how long an order belongs to its worker after each step
	Limit                     time.Duration // 4s: how long a caller waits at most, and then again for undoing; shorter than Lease
	Every                     time.Duration // 1s: how often unfinished orders are looked for
	Profiles                  int           // 10000: how many users are remembered, for orders that are placed while UserService is away
	ProfileAge                time.Duration // 1h: how long what is remembered of a user stands in for an answer
	At                        func(string)  // told each point where a crash must do no harm; for tests
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
	}{{&c.Lease, 10 * time.Second}, {&c.Limit, 4 * time.Second}, {&c.Every, time.Second}, {&c.ProfileAge, time.Hour}} {
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
