package doctor

import (
	"context"
	"strings"
	"testing"
)

func TestTheDiskOfAnEngineOnAnotherMachineIsNotLookedForHere(t *testing.T) {
	p := fit()
	p.EngineStorage = func(context.Context) (string, error) { return "/var/lib/docker", nil }
	if got := diskEngine(t.Context(), p.World); got.Outcome != Skip || !strings.Contains(got.Message, "/var/lib/docker, is not on this machine") {
		t.Errorf("%s %q", got.Outcome, got.Message)
	}
}

// TestASandboxThatIsUpNeedsLessRoomThanOneThatIsToCome: what it takes is taken already.
func TestASandboxThatIsUpNeedsLessRoomThanOneThatIsToCome(t *testing.T) {
	p := fit()
	p.DiskFree = free(2 * gigabyte)
	p.write("proc/meminfo", "MemTotal: 16303428 kB\nMemAvailable: 900000 kB\n")
	for _, r := range Run(t.Context(), p.World, nil) {
		if r.Category == resources && r.Outcome != Pass {
			t.Errorf("with a sandbox, %s: %s %q", r.ID, r.Outcome, r.Message)
		}
	}
	p.Cluster = nil
	wants := map[string]Outcome{"disk-cache": Fail, "disk-engine": Fail, "memory-available": Warn}
	for _, r := range Run(t.Context(), p.World, nil) {
		if want, ok := wants[r.ID]; ok && r.Outcome != want {
			t.Errorf("without a sandbox, %s: %s %q; want %s", r.ID, r.Outcome, r.Message, want)
		}
	}
}
