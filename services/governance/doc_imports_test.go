package governance

import (
	"os/exec"
	"strings"
	"testing"
)

// TestImports_NothingOfTheSandbox checks what a service links that uses this package: nothing that creates clusters, and neither Envoy's protos nor CEL.
func TestImports_NothingOfTheSandbox(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range strings.Fields(string(out)) {
		for _, heavy := range []string{"helm.sh/", "sigs.k8s.io/", "k8s.io/", "github.com/envoyproxy/", "github.com/google/cel-go", "cel.dev/", "google.golang.org/grpc/xds",
			"github.com/charmbracelet/", "github.com/grpc-sandbox/sandbox/sandbox", "github.com/grpc-sandbox/sandbox/charts",
			"github.com/grpc-sandbox/sandbox/internal/bench"} {
			if strings.HasPrefix(path, heavy) {
				t.Error("this package links", path)
			}
		}
	}
}
