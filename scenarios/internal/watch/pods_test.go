package watch

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
	"github.com/grpc-sandbox/sandbox/scenarios/internal/clock"
	"github.com/grpc-sandbox/sandbox/scenarios/spec"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// countedPods returns a given number of ready pods, or an error.
type countedPods struct {
	target.Workloads
	ready int
	err   error
}

func (c *countedPods) Pods(context.Context, string) ([]telemetry.Pod, error) {
	all := make([]telemetry.Pod, 3)
	for i := range c.ready {
		all[i].Ready = true
	}
	return all, c.err
}

func TestPods_Window(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &countedPods{ready: 3}
		w := NewPods(spec.Scenario{}, source, clock.Wall{})
		start := time.Now()
		if _, _, err := w.Window("r", time.Second, start); err == nil {
			t.Error("a window without a sample is known")
		}
		// The samples span 3 s.
		for i := range 13 {
			source.ready = 3
			if i == 6 {
				source.ready = 1
			}
			w.Sample(t.Context(), "r")
			time.Sleep(Interval)
		}
		for name, c := range map[string]struct {
			hold, after time.Duration
			n           int
			unknown     string
		}{
			"the last second":            {time.Second, 0, 3, ""},
			"with the low in the middle": {2 * time.Second, 0, 1, ""},
			"not watched for so long":    {2 * time.Second, 1500 * time.Millisecond, 0, "not been watched for 2s"},
		} {
			n, _, err := w.Window("r", c.hold, start.Add(c.after))
			if c.unknown != "" && (err == nil || !strings.Contains(err.Error(), c.unknown)) || c.unknown == "" && (err != nil || n != c.n) {
				t.Errorf("%s: %d pods, %v", name, n, err)
			}
		}
		source.err = errors.New("no route")
		time.Sleep(2 * time.Second)
		w.Sample(t.Context(), "r")
		if _, _, err := w.Window("r", time.Second, start); err == nil || err.Error() != "no route" {
			t.Errorf("old samples are not unknown: %v", err)
		}
	})
}
