// Package probe checks by real calls whether a traffic policy acts: it offers more than a limit admits, makes calls too slow for a deadline, or lets
// calls fail until a breaker opens, and compares what it observes with the policy.
//
// What a process acknowledges says that it has applied a policy. A probe says that the policy has the effect.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/sandbox/live/traffic"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadgenv1"
)

// The verdicts of a probe.
const (
	Enforced    = "enforced"
	NotEnforced = "not enforced"
	NotProbed   = "not probed"
)

// Result is what was observed of one field of a policy.
type Result struct {
	// Field is the path of the field in the policy, Value its value in one line.
	Field string `json:"field"`
	Value string `json:"value"`
	// Verdict is enforced, not enforced or not probed.
	Verdict string `json:"verdict"`
	// Observed is the observation in numbers, or why there is none.
	Observed string `json:"observed"`
}

// Loads is the part of the load generator that a probe needs.
type Loads interface {
	// StartLoad starts a load.
	StartLoad(ctx context.Context, in *loadgenv1.StartLoadRequest, opts ...grpc.CallOption) (*loadgenv1.LoadStats, error)
	// StopLoad stops a load and returns what it has done.
	StopLoad(ctx context.Context, in *loadgenv1.StopLoadRequest, opts ...grpc.CallOption) (*loadgenv1.LoadStats, error)
	// ListLoads returns what all loads have done so far.
	ListLoads(ctx context.Context, in *loadgenv1.ListLoadsRequest, opts ...grpc.CallOption) (*loadgenv1.ListLoadsResponse, error)
}

// Faults injects faults.
type Faults interface {
	// AddFault returns when every process of the target injects the fault.
	AddFault(ctx context.Context, name string, spec json.RawMessage) error
	// ClearFault returns when no process injects the fault.
	ClearFault(ctx context.Context, name string) error
}

// Caller makes one call from this machine to one pod of the service, without a deadline and without a policy of its own.
type Caller func(ctx context.Context, m Method, metadata map[string]string) error

// Prober runs the probes of a policy.
type Prober struct {
	// Loads offers calls at a rate, Faults makes calls slow or fail, and Call makes single calls.
	Loads  Loads
	Faults Faults
	Call   Caller
	// Target is what the policy concerns.
	Target Target
	// Window is how long a rate is measured. Default: 10s.
	Window time.Duration
	// Observe is called before each probe with what it does and how long that takes about. May be nil.
	Observe func(doing string, about time.Duration)
}

// settle is how long a load runs before it is measured: the first calls find full token buckets.
const settle = 2 * time.Second

// closes is about how long a breaker is open and half-open.
const closes = 7 * time.Second

// clean is how long a probe may take to remove what it has added.
const clean = 30 * time.Second

// Run probes every field of a policy that can be probed, and names the others. The error says why it could not finish; the results until then are
// returned, too.
func (p Prober) Run(ctx context.Context, spec *policyv1.TrafficPolicySpec) ([]Result, error) {
	if p.Window == 0 {
		p.Window = 10 * time.Second
	}
	if p.Observe == nil {
		p.Observe = func(string, time.Duration) {}
	}
	checks, skipped := plan(spec, p.Target)
	found, opened := map[string]Result{}, map[string]Method{}
	var failed error
	for _, c := range checks {
		p.Observe(c.doing, c.about(p.Window))
		verdict, observed, err := c.run(ctx, run{p, strings.ToLower(rand.Text()[:6])})
		if err != nil {
			failed = fmt.Errorf("probing %s: %w", c.fields[0], err)
			if ctx.Err() != nil {
				return nil, failed
			}
			verdict, observed = NotProbed, "the probe failed: "+err.Error()
		}
		if c.opens.Name != "" {
			opened[c.opens.Name] = c.opens
		}
		for _, f := range c.fields {
			found[f] = Result{Verdict: verdict, Observed: observed}
		}
	}
	failed = errors.Join(failed, p.closeBreakers(ctx, opened))
	all := []Result{}
	rest := proto.CloneOf(spec)
	rest.Selector = nil
	for _, leaf := range traffic.Leaves(rest) {
		if strings.HasSuffix(leaf.Field, "].method") {
			continue
		}
		one, ok := found[leaf.Field]
		if !ok {
			one = Result{Verdict: NotProbed, Observed: why(skipped, leaf.Field)}
		}
		one.Field, one.Value = leaf.Field, leaf.Value
		all = append(all, one)
	}
	return all, failed
}

// closeBreakers waits until the breakers of the load generator that a probe may have opened are closed: the next run would measure them.
func (p Prober) closeBreakers(ctx context.Context, opened map[string]Method) error {
	for _, name := range slices.Sorted(maps.Keys(opened)) {
		p.Observe("waiting until the breaker of the load generator for "+name+" is closed", closes)
		if err := (run{p, strings.ToLower(rand.Text()[:6])}).healthy(ctx, opened[name], 5); err != nil {
			return fmt.Errorf("after probing %s: %w", name, err)
		}
	}
	return nil
}

// why returns the reason for a field or the nearest one that contains it.
func why(skipped map[string]string, field string) string {
	for at := field; ; {
		if reason, ok := skipped[at]; ok {
			return reason
		}
		cut := strings.LastIndexAny(at, ".[")
		if cut < 0 {
			return "there is no probe for this field"
		}
		at = at[:cut]
	}
}

// run is one probe.
type run struct {
	Prober
	id string
}

// load runs calls at a rate while do runs, and returns the last statistics.
func (r run) load(ctx context.Context, m Method, rate float64, do func(ctx context.Context, load string) error) (last *loadgenv1.LoadStats, err error) {
	name := "policy-verify/" + r.id
	start := &loadgenv1.StartLoadRequest{Name: name, Target: r.Target.Service, Method: m.Name, RequestJson: m.Request, Rate: rate}
	if _, err := r.Loads.StartLoad(ctx, start); err != nil {
		return nil, fmt.Errorf("starting a load: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clean)
		defer cancel()
		stats, serr := r.Loads.StopLoad(ctx, &loadgenv1.StopLoadRequest{Name: name})
		if serr != nil {
			err = errors.Join(err, fmt.Errorf("stopping a load: %w", serr))
		}
		last = stats
	}()
	return nil, do(ctx, name)
}

// healthy waits until the load generator's calls of a method are not refused by its own breaker, which an earlier probe may have opened.
func (r run) healthy(ctx context.Context, m Method, rate float64) error {
	ctx, cancel := context.WithTimeout(ctx, clean)
	defer cancel()
	_, err := r.load(ctx, m, min(rate, 5), func(ctx context.Context, load string) error {
		var before *loadgenv1.LoadStats
		for {
			if err := pause.For(ctx, time.Second); err != nil {
				return fmt.Errorf("waiting until the breaker of the load generator is closed: %w", err)
			}
			all, err := r.Loads.ListLoads(ctx, &loadgenv1.ListLoadsRequest{})
			if err != nil {
				return fmt.Errorf("reading the load: %w", err)
			}
			now := one(all.GetLoads(), load)
			if now.GetSent() > before.GetSent() && open(now) == open(before) {
				return nil
			}
			before = now
		}
	})
	return err
}

// open returns how many calls of a load an open breaker has refused.
func open(s *loadgenv1.LoadStats) int64 { return s.GetRefused()[refusal.ReasonBreakerOpen] }

// unsent returns how many calls of a load its caller has refused itself, with UNAVAILABLE.
func unsent(s *loadgenv1.LoadStats) (n int64) {
	for reason, count := range s.GetRefused() {
		if reason != refusal.ReasonTooManyCalls {
			n += count
		}
	}
	return n
}

// one returns a load; nil if it is not there.
func one(all []*loadgenv1.LoadStats, load string) *loadgenv1.LoadStats {
	for _, s := range all {
		if s.GetName() == load {
			return s
		}
	}
	return nil
}

// fault injects a fault while do runs.
func (r run) fault(ctx context.Context, spec *policyv1.FaultSpec, do func() error) (err error) {
	name := "policy-verify-" + r.id
	spec.LeaseSeconds = 10
	text, err := traffic.Spec(spec)
	if err != nil {
		return err
	}
	if err := r.Faults.AddFault(ctx, name, text); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), clean)
		defer cancel()
		err = errors.Join(err, r.Faults.ClearFault(ctx, name))
	}()
	return do()
}
