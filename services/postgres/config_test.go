package postgres

import (
	"strings"
	"testing"
	"time"
)

func TestConfigFromEnv_Variables(t *testing.T) {
	for _, c := range []struct {
		sentence string
		env      map[string]string
		problem  string
	}{
		{"an empty environment is the sandbox's own database", nil, ""},
		{"another address", map[string]string{"DATABASE_ADDR": "db:5433"}, ""},
		{"an address without a port", map[string]string{"DATABASE_ADDR": "db"}, "reading DATABASE_ADDR"},
		{"no connections", map[string]string{"DATABASE_MAX_CONNS": "0"}, `"0" is not a number of connections`},
		{"a time without a unit", map[string]string{"DATABASE_ACQUIRE_TIMEOUT": "3"}, `"3" is not a duration`},
	} {
		cfg, err := ConfigFromEnv("users", func(key string) string { return c.env[key] })
		if (c.problem == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: got %v", c.sentence, err)
		}
		if len(c.env) == 0 && (cfg.Addr != "postgres.shop.svc:5432" || cfg.Database != "shop" || cfg.Role != "users" || cfg.MaxConns != 6 || cfg.Acquire != 500*time.Millisecond) {
			t.Errorf("%s: got %+v", c.sentence, cfg)
		}
	}
}
