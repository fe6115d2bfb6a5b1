package sandbox

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/grpc-sandbox/sandbox/sandbox/cluster"
	"github.com/grpc-sandbox/sandbox/sandbox/fixture"
)

func TestProbeCache_ProbesOncePerBoot(t *testing.T) {
	folder, podman := t.TempDir(), cluster.Engine{Name: "podman"}
	probes, broken := 0, errors.New("no privilege")
	var answer error
	since := func(boot string) probeCache {
		return probeCache{folder: folder, boot: boot, probe: func(context.Context, cluster.Engine) error {
			probes++
			return answer
		}}
	}
	for _, c := range []struct {
		sentence string
		boot     string
		answer   error
		forget   bool
		probed   bool
	}{
		{"a failed probe", "monday", broken, false, true},
		{"is not cached", "monday", nil, false, true},
		{"a successful probe is cached", "monday", broken, false, false},
		{"until the machine reboots", "tuesday", nil, false, true},
		{"or until it is forgotten", "tuesday", nil, true, true},
		{"without a boot id, each time", "", nil, false, true},
		{"and again", "", nil, false, true},
	} {
		answer, probes = c.answer, 0
		p := since(c.boot)
		if c.forget {
			if err := p.forget(podman); err != nil {
				t.Fatal(err)
			}
		}
		err := p.works(t.Context(), podman)
		if (probes == 1) != c.probed {
			t.Errorf("%s: probed %d times", c.sentence, probes)
		}
		if c.probed && !errors.Is(err, c.answer) || !c.probed && err != nil {
			t.Errorf("%s: %v", c.sentence, err)
		}
	}
	if err := since("tuesday").forget(cluster.Engine{Name: "docker"}); err != nil {
		t.Errorf("forgetting what is not known: %v", err)
	}
}

// TestProbeCache_OneProbeAtATime checks that a second process waits for the result of the first.
func TestProbeCache_OneProbeAtATime(t *testing.T) {
	var running, probes atomic.Int64
	p := probeCache{folder: t.TempDir(), boot: "monday", probe: func(context.Context, cluster.Engine) error {
		if running.Add(1) > 1 {
			t.Error("two probes run at the same time")
		}
		probes.Add(1)
		runtime.Gosched()
		running.Add(-1)
		return nil
	}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := p.works(t.Context(), cluster.Engine{Name: "podman"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if probes.Load() != 1 {
		t.Errorf("%d probes, want 1", probes.Load())
	}
}

func TestProbeCache_UnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "no folder")
	fixture.Write(t, file, "", 0o600)
	p := probeCache{folder: file, boot: "monday", probe: func(context.Context, cluster.Engine) error { return nil }}
	if err := p.works(t.Context(), cluster.Engine{Name: "podman"}); err != nil {
		t.Error(err)
	}
}
