package release

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestUpstreamChart_WithoutACheckout(t *testing.T) {
	for _, c := range []struct{ sentence, kept string }{
		{"a chart that is not cached needs a checkout", ""},
		{"a truncated chart counts as not cached", "not an archive"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			cache := t.TempDir()
			file := ChartFile(cache, charts.Upstream{Folder: "deploy/charts/other", Version: "v1"})
			if c.kept != "" {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(c.kept), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, err := UpstreamChart(t.Context(), cache, "", charts.Upstream{Folder: "deploy/charts/other", Version: "v1"})
			fixture.WantError(t, err, "\ntry: run from the project's folder, or name it with --source")
			if _, err := os.Stat(file); !os.IsNotExist(err) {
				t.Errorf("the damaged chart is still there: %v", err)
			}
		})
	}
}
