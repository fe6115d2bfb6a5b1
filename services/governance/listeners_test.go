package governance

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// TestListen_UnusableAddress checks that the error names the address, and what to do.
func TestListen_UnusableAddress(t *testing.T) {
	for _, address := range []string{"8443", ":99999"} {
		_, err := Config{ListenAddr: address, HealthAddr: "off", MetricsAddr: "off"}.listen()
		if got := remedy.Line(err, nil); !strings.Contains(got, `listening at "`+address+`": `) || !strings.Contains(got, "try: choose a free port") {
			t.Errorf("%s: %s", address, got)
		}
	}
}
