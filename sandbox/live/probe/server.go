package probe

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/grpc-sandbox/sandbox/internal/pause"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// probeHeader marks the calls of a probe, so that a fault affects no others.
const probeHeader = "x-sandbox-probe"

// atTarget returns a fault that delays the calls with the header of this probe where they are received.
func (r run) atTarget(m Method, delay time.Duration) *policyv1.FaultSpec {
	return &policyv1.FaultSpec{Selector: selecting(r.Target.Service), Method: m.Name, Metadata: map[string]string{probeHeader: r.id},
		Kind: &policyv1.FaultSpec_Delay{Delay: &policyv1.Delay{Fixed: durationpb.New(delay)}}}
}

// call makes a marked call without a deadline. It is cancelled after a time. A rate limit that other calls use up says nothing about this one, so that it
// is repeated.
func (r run) call(ctx context.Context, m Method, limit time.Duration) (took time.Duration, err error) {
	for range tries {
		took, err = r.callOnce(ctx, m, limit)
		if refusal.Reason(err) != refusal.ReasonRateLimited || pause.For(ctx, again) != nil {
			break
		}
	}
	return took, err
}

func (r run) callOnce(ctx context.Context, m Method, limit time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// A deadline of the context would be sent to the service.
	timer := time.AfterFunc(limit, cancel)
	defer timer.Stop()
	started := time.Now()
	err = r.Call(ctx, m, map[string]string{probeHeader: r.id})
	return time.Since(started), err
}

const (
	// tries is how often a call is made that a rate limit refuses, and again how long it waits.
	tries = 20
	again = 300 * time.Millisecond
)

// serverDeadline calls without a deadline, once.
type serverDeadline struct {
	method   Method
	timeout  time.Duration
	required bool
}

func (p *planner) serverDeadline(i int, at string, m *policyv1.MethodPolicy) {
	d := m.GetServerDeadline()
	field := at + "serverDeadline.required"
	switch {
	case d.GetRequired():
	case d.GetTimeout() != nil:
		field = at + "serverDeadline.timeout"
	default:
		return
	}
	method, ok := p.called(i, field, func(m *policyv1.MethodPolicy) bool { return m.GetServerDeadline() != nil })
	if !ok {
		return
	}
	probe := serverDeadline{method, d.GetTimeout().AsDuration(), d.GetRequired()}
	if probe.timeout > longest {
		p.skipped[field] = fmt.Sprintf("only time-outs up to %s are probed", longest)
		return
	}
	c := check{fields: []string{field}, doing: "calling " + method.Name + " without a deadline", takes: time.Second, run: probe.probe}
	if !probe.required {
		c.takes += probe.timeout
	}
	p.checks = append(p.checks, c)
}

func (d serverDeadline) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	slow := d.timeout + 2*time.Second
	if d.required {
		took, err := r.call(ctx, d.method, slow)
		verdict, observed = d.judge(took, err)
		return verdict, observed, ctx.Err()
	}
	err = r.fault(ctx, r.atTarget(d.method, slow), func() error {
		took, err := r.call(ctx, d.method, slow+2*time.Second)
		verdict, observed = d.judge(took, err)
		return ctx.Err()
	})
	return verdict, observed, err
}

func (d serverDeadline) judge(took time.Duration, err error) (verdict, observed string) {
	got := status.Code(err)
	switch refusal.Reason(err) {
	case refusal.ReasonCallerNotAllowed:
		return NotProbed, "the command line may not call the service"
	case refusal.ReasonRateLimited:
		return NotProbed, "a rate limit refused every call"
	}
	if d.required {
		observed = "a call without a deadline ended with " + name(got)
		if refusal.Reason(err) == refusal.ReasonDeadlineRequired {
			return Enforced, observed + ": " + refusal.ReasonDeadlineRequired
		}
		return NotEnforced, observed
	}
	observed = fmt.Sprintf("a call without a deadline that would take %s ended with %s after %s", d.timeout+2*time.Second, name(got), took.Round(time.Millisecond))
	if got == codes.DeadlineExceeded && took >= d.timeout*8/10 && took <= d.timeout*12/10+250*time.Millisecond {
		return Enforced, observed
	}
	return NotEnforced, observed
}

// bulkhead makes more calls at once than one pod accepts.
type bulkhead struct {
	method Method
	limit  int
	// every is the interval at which calls start, so that a rate limit does not refuse them.
	every time.Duration
}

const (
	// mostConcurrent is the highest limit of concurrent calls that is probed, and excess how many more are made.
	mostConcurrent = 200
	excess         = 5
	// together is how long all calls are there at once.
	together = 2 * time.Second
)

// occupied is how long each call occupies its place.
func (b bulkhead) occupied() time.Duration {
	return time.Duration(b.limit+excess)*b.every + together
}

func (p *planner) bulkhead(i int, at string, m *policyv1.MethodPolicy) {
	limit := int(m.GetBulkhead().GetMaxConcurrent())
	field := at + "bulkhead.maxConcurrent"
	if limit == 0 {
		return
	}
	method, ok := p.called(i, field, func(m *policyv1.MethodPolicy) bool { return m.GetBulkhead() != nil })
	if !ok {
		return
	}
	if limit > mostConcurrent {
		p.skipped[field] = fmt.Sprintf("only limits up to %d are probed", mostConcurrent)
		return
	}
	probe := bulkhead{method: method, limit: limit}
	if most := p.target.limitOf(p.spec, method); most > 0 {
		// Each pod admits its share. Half of it is left to others.
		probe.every = time.Duration(2 * float64(p.target.Pods) / most * float64(time.Second))
	}
	if probe.occupied() > 2*longest {
		p.skipped[field] = "a rate limit of the policy does not admit so many calls at once"
		return
	}
	p.checks = append(p.checks, check{fields: []string{field}, doing: fmt.Sprintf("making %d calls of %s at once", limit+excess, method.Name),
		takes: probe.occupied() + settle, run: probe.probe})
}

func (b bulkhead) probe(ctx context.Context, r run) (verdict, observed string, err error) {
	var mu sync.Mutex
	full, others := 0, map[codes.Code]int{}
	err = r.fault(ctx, r.atTarget(b.method, b.occupied()), func() error {
		var calls sync.WaitGroup
		for range b.limit + excess {
			if err := pause.For(ctx, b.every); err != nil {
				break
			}
			calls.Go(func() {
				// With a deadline of its own, the call gets none from the policy.
				ctx, cancel := context.WithTimeout(ctx, b.occupied()+clean)
				defer cancel()
				_, err := r.call(ctx, b.method, b.occupied()+clean)
				mu.Lock()
				defer mu.Unlock()
				if refusal.Reason(err) == refusal.ReasonBulkheadFull {
					full++
				} else {
					others[status.Code(err)]++
				}
			})
		}
		calls.Wait()
		return ctx.Err()
	})
	if err != nil {
		return "", "", err
	}
	verdict, observed = b.judge(full, others)
	return verdict, observed, nil
}

func (b bulkhead) judge(full int, others map[codes.Code]int) (verdict, observed string) {
	all := b.limit + excess
	refused := others[codes.PermissionDenied] + others[codes.ResourceExhausted] + others[codes.Unavailable]
	admitted := all - full - refused
	observed = fmt.Sprintf("%d of %d calls at once admitted by one pod, %d refused", admitted, all, full)
	switch {
	case refused > 0:
		return NotProbed, fmt.Sprintf("%s; %d calls failed for another reason", observed, refused)
	case admitted > b.limit:
		return NotEnforced, observed
	default:
		return Enforced, observed
	}
}

// name returns a code as the protocol spells it.
func name(c codes.Code) string { return code.Code(c).String() }
