package governance

import (
	"cmp"
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/rpccode"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
	"github.com/grpc-sandbox/sandbox/services/governance/refusal"
)

// fault is one fault of the policy, prepared for use. A method without faults has an empty list, which costs nothing.
type fault struct {
	name, kind string
	// share is the share of matching calls that fail.
	share         float64
	metadata      map[string]string
	fixed, jitter time.Duration
	// abort is the error of an abort; nil for other kinds.
	abort error
	// after is the number of messages before the cut.
	after int32
}

func faultsFor(all []*policyv1.Fault, callee, method string) (list []*fault) {
	for _, f := range all {
		if matches(f.GetCallee(), callee) && matches(f.GetMethod(), method) {
			list = append(list, newFault(f))
		}
	}
	return list
}

func newFault(p *policyv1.Fault) *fault {
	f := &fault{name: p.GetName(), share: p.GetPercent() / 100, metadata: map[string]string{}}
	f.share = cmp.Or(f.share, 1)
	for key, value := range p.GetMetadata() {
		// gRPC writes keys in lower case.
		f.metadata[strings.ToLower(key)] = value
	}
	switch k := p.GetKind().(type) {
	case *policyv1.Fault_Delay:
		f.kind, f.fixed, f.jitter = "delay", k.Delay.GetFixed().AsDuration(), k.Delay.GetJitter().AsDuration()
	case *policyv1.Fault_Abort:
		code, _ := rpccode.Named(k.Abort.GetCode())
		message := k.Abort.GetMessage()
		message = cmp.Or(message, "a fault was injected")
		f.kind, f.abort = "abort", refusal.New(code, ReasonFaultInjected, message)
	case *policyv1.Fault_Hang:
		f.kind = "hang"
	case *policyv1.Fault_Cut:
		f.kind, f.after = "cut", int32(min(k.Cut.GetAfterMessages(), 1<<30))
	}
	return f
}

// matches reports whether the fault applies to a call. get returns the values of a header.
func (f *fault) matches(get func(string) []string, random func() float64) bool {
	for key, want := range f.metadata {
		if !contains(get(key), want) {
			return false
		}
	}
	return f.share >= 1 || random() < f.share
}

func contains(values []string, want string) bool {
	for _, v := range values {
		if v == want {
			return true
		}
	}
	return false
}

// applyFaults applies faults in their order. It returns the one that is going to cut the call later, or the error that ends it now.
func applyFaults(ctx context.Context, faults []*fault, get func(string) []string, random func() float64, note func(*fault)) (cut *fault, err error) {
	for _, f := range faults {
		if !f.matches(get, random) {
			continue
		}
		note(f)
		switch f.kind {
		case "delay":
			err = wait(ctx, f.fixed+time.Duration(random()*float64(f.jitter)))
		case "abort":
			return nil, f.abort
		case "hang":
			<-ctx.Done()
			err = status.FromContextError(ctx.Err()).Err()
		case "cut":
			cut = f
		}
		if err != nil {
			return nil, err
		}
	}
	return cut, nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func errCut() error {
	return refusal.New(codes.Unavailable, ReasonFaultInjected, "a fault cut the connection")
}

// counter returns a counter of the messages that are left before the cut.
func (f *fault) counter() *atomic.Int32 {
	left := &atomic.Int32{}
	left.Store(f.after)
	return left
}

func (c *clientCall) inject() (cut *fault, err error) {
	if len(c.rule.faults) == 0 {
		// Return before the metadata is read, because reading copies it.
		return nil, nil
	}
	md, _ := metadata.FromOutgoingContext(c.ctx)
	return applyFaults(c.ctx, c.rule.faults, md.Get, rand.Float64, func(f *fault) {
		recordFault(c.ctx, c.client.cfg.Metrics, "client", c.method.method, f)
	})
}

func recordFault(ctx context.Context, metrics *Metrics, side, method string, f *fault) {
	metrics.faults.WithLabelValues(side, method, f.name, f.kind).Inc()
	trace.SpanFromContext(ctx).AddEvent("fault injected", trace.WithAttributes(
		attribute.String("fault", f.name), attribute.String("kind", f.kind), attribute.String("side", side)))
}
