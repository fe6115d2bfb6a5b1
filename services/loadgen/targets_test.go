package loadgen

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

func TestConfigFromEnv_TargetsAndBackground(t *testing.T) {
	for _, c := range []struct {
		name string
		env  map[string]string
		says string
	}{
		{"an empty environment loads userservice", nil, ""},
		{"several targets", map[string]string{"TARGETS": "userservice=a:1, orderservice=dns:///o.shop.svc:1"}, ""},
		{"a target without an address", map[string]string{"TARGETS": "userservice"}, `"userservice" is no name=address`},
		{"a rate that is not a number", map[string]string{"BACKGROUND_RATE": "fast"}, `"fast" is not a number`},
		{"a rate below zero", map[string]string{"BACKGROUND_RATE": "-1"}, "a rate of -1/s"},
		{"a rate of NaN", map[string]string{"BACKGROUND_RATE": "NaN"}, "a rate of NaN/s"},
		{"an unknown background target", map[string]string{"BACKGROUND_TARGET": "x"}, `"x" is not in TARGETS; try: BACKGROUND_RATE=0`},
		{"a rate of orders that is not a number", map[string]string{"BACKGROUND_ORDERS_RATE": "fast"}, `reading BACKGROUND_ORDERS_RATE: "fast" is not a number`},
		{"an unknown target of orders", map[string]string{"BACKGROUND_ORDERS_TARGET": "x"}, `"x" is not in TARGETS; try: BACKGROUND_ORDERS_RATE=0`},
		{"an unknown target of orders without orders", map[string]string{"BACKGROUND_ORDERS_TARGET": "x", "BACKGROUND_ORDERS_RATE": "0"}, ""},
		{"an unknown background target without a background load", map[string]string{"TARGETS": "x=y:1", "BACKGROUND_RATE": "0"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ConfigFromEnv(func(key string) string { return c.env[key] })
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(remedy.Line(err, nil), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	cfg, err := ConfigFromEnv(func(string) string { return "" })
	if err != nil || cfg.BackgroundRate != 20 || cfg.BackgroundTarget != "userservice" || cfg.Targets["userservice"].Address != defaultTargets[len("userservice="):] {
		t.Errorf("the defaults are %+v, %v", cfg, err)
	}
	if cfg.OrdersRate != 5 || cfg.sellsInBackground() {
		t.Errorf("by default orders are placed without a target: %+v", cfg)
	}
}
