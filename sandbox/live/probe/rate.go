package probe

import (
	"context"
	"fmt"
	"time"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// rateLimit offers more calls than a limit admits.
type rateLimit struct {
	method         Method
	limit, offered float64
	// whole means that the limit counts the calls of every method.
	whole bool
}

// tolerance is how far the admitted rate may be above the limit: the limit of a workload is divided among its pods, and each of them lets calls pass
// that come at once.
const tolerance = 1.1

// counted are the calls of all loads to the target.
type counted struct{ offered, admitted, refused int64 }

// count adds up the calls that reached the target, and those that the target refused.
func (l rateLimit) count(all []*loadgenv1.LoadStats, service string) (c counted) {
	for _, s := range all {
		if s.GetTarget() != service || !l.whole && s.GetMethod() != l.method.Name {
			continue
		}
		c.offered += s.GetIntended()
		c.admitted += s.GetOk()
		for code, n := range s.GetErrors() {
			switch code {
			case "RESOURCE_EXHAUSTED":
				c.refused += n - s.GetRefused()[refusal.ReasonTooManyCalls]
			case "UNAVAILABLE":
				c.admitted += n - unsent(s)
			case "OVERLOADED":
			default:
				c.admitted += n
			}
		}
	}
	return c
}

func (l rateLimit) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	var before, after *loadgenv1.ListLoadsResponse
	_, err = r.load(ctx, l.method, l.offered, func(ctx context.Context, _ string) error {
		if err := pause.For(ctx, settle); err != nil {
			return err
		}
		if before, err = r.Loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{}); err != nil {
			return fmt.Errorf("reading the load: %w", err)
		}
		if err := pause.For(ctx, r.Window); err != nil {
			return err
		}
		if after, err = r.Loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{}); err != nil {
			return fmt.Errorf("reading the load: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", "", err
	}
	took := r.Window
	if a, b := readAt(before), readAt(after); b.After(a) {
		took = b.Sub(a)
	}
	a, b := l.count(before.GetLoads(), r.Target.Service), l.count(after.GetLoads(), r.Target.Service)
	verdict, observed = l.judge(counted{b.offered - a.offered, b.admitted - a.admitted, b.refused - a.refused}, took)
	return verdict, observed, nil
}

func readAt(l *loadgenv1.ListLoadsResponse) time.Time {
	for _, s := range l.GetLoads() {
		if s.GetReadAt() != nil {
			return s.GetReadAt().AsTime()
		}
	}
	return time.Time{}
}

func (l rateLimit) judge(c counted, took time.Duration) (verdict, observed string) {
	admitted := float64(c.admitted) / took.Seconds()
	observed = fmt.Sprintf("%.1f/s admitted of %.1f/s offered over %.0f s", admitted, float64(c.offered)/took.Seconds(), took.Seconds())
	switch {
	case admitted > l.limit*tolerance:
		return NotEnforced, observed + fmt.Sprintf(", more than the tolerated %.1f/s", l.limit*tolerance)
	case c.refused == 0:
		return NotProbed, observed + ", but the service refused none"
	default:
		return Enforced, observed + fmt.Sprintf("; up to %.1f/s is tolerated", l.limit*tolerance)
	}
}
