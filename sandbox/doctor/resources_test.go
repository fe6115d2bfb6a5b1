package doctor

import (
	"context"
	"strings"
	"testing"
)

func TestDiskEngine_SkippedForARemoteEngine(t *testing.T) {
	p := healthy()
	p.EngineStorage = func(context.Context) (string, error) { return "/var/lib/docker", nil }
	if got := diskEngine(t.Context(), p.Host); got.Outcome != Skip || !strings.Contains(got.Message, "/var/lib/docker, is not on this machine") {
		t.Errorf("%s %q", got.Outcome, got.Message)
	}
}

// TestResources_RunningSandboxNeedsLess expects lower limits for a running sandbox, because its memory and disk are already in use.
func TestResources_RunningSandboxNeedsLess(t *testing.T) {
	p := healthy()
	p.DiskFree = free(2 * gigabyte)
	p.write("proc/meminfo", "MemTotal: 16303428 kB\nMemAvailable: 900000 kB\n")
	for _, r := range Run(t.Context(), p.Host, nil) {
		if r.Category == resources && r.Outcome != Pass {
			t.Errorf("with a sandbox, %s: %s %q", r.ID, r.Outcome, r.Message)
		}
	}
	p.Cluster = nil
	wants := map[string]Outcome{"disk-cache": Fail, "disk-engine": Fail, "memory-available": Warn}
	for _, r := range Run(t.Context(), p.Host, nil) {
		if want, ok := wants[r.ID]; ok && r.Outcome != want {
			t.Errorf("without a sandbox, %s: %s %q; want %s", r.ID, r.Outcome, r.Message, want)
		}
	}
}
