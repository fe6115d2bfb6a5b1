// Package fault injects the faults of a policy into calls. Each kind of fault is one file: its name, how it is decoded, and what it does to a call.
package fault

import (
	"context"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Fault is one fault of a policy, prepared for use.
type Fault struct {
	// Name identifies the fault in metrics and spans.
	Name string
	// Kind is the name of its kind, such as delay.
	Kind string
	// Shadow means that the fault has no effect. It is only noted.
	Shadow bool

	// share is the share of matching calls that fail.
	share    float64
	metadata map[string]string
	effect   effect
}

// effect is what a fault does to a call. It returns the error that ends the call now, or nil.
type effect interface {
	apply(ctx context.Context, random func() float64) error
}

// kind is one kind of fault.
type kind struct {
	name string
	// decode returns nil if the fault is of another kind.
	decode func(p *policyv1.Fault) effect
}

func kinds() []kind { return []kind{delayKind, abortKind, hangKind, cutKind, throttleKind} }

// ForMethod returns the faults of a policy that apply to a method in a pod, in their order. callee is empty on the side of the server. A method without
// faults has an empty list, which costs nothing.
func ForMethod(all []*policyv1.Fault, pod, callee, method string) (list []*Fault) {
	for _, f := range all {
		if pattern.Matches(f.GetPod(), pod) && pattern.Matches(f.GetCallee(), callee) && pattern.Matches(f.GetMethod(), method) {
			list = append(list, prepare(f))
		}
	}
	return list
}

func prepare(p *policyv1.Fault) *Fault {
	f := &Fault{Name: p.GetName(), Shadow: p.GetShadow(), share: 1, metadata: map[string]string{}}
	if p.Percent != nil {
		f.share = p.GetPercent() / 100
	}
	for key, value := range p.GetMetadata() {
		// gRPC writes keys in lower case.
		f.metadata[strings.ToLower(key)] = value
	}
	for _, k := range kinds() {
		if f.effect = k.decode(p); f.effect != nil {
			f.Kind = k.name
			break
		}
	}
	return f
}

// matches reports whether the fault applies to a call. header returns the values of a header.
func (f *Fault) matches(header func(string) []string, random func() float64) bool {
	for key, want := range f.metadata {
		if !slices.Contains(header(key), want) {
			return false
		}
	}
	return f.share >= 1 || random() < f.share
}

// Apply applies faults in their order, and calls note with each that applies, also with those in shadow mode, which have no effect. It returns the one
// that is going to cut the call later, or the error that ends the call now.
func Apply(ctx context.Context, faults []*Fault, header func(string) []string, random func() float64, note func(*Fault)) (cut *Cut, err error) {
	for _, f := range faults {
		if !f.matches(header, random) {
			continue
		}
		note(f)
		if f.Shadow {
			continue
		}
		if err := f.effect.apply(ctx, random); err != nil {
			return nil, err
		}
		if c, ok := f.effect.(*Cut); ok {
			cut = c
		}
	}
	return cut, nil
}
