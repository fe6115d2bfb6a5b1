package action

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

type fault struct {
	Release string
	Spec    string
	For     time.Duration
}

// faultLease is the lease of a fault that names none: how long it outlives this program.
const faultLease = 10

func faultKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "fault",
			Doc: "Injects a fault into the calls of a release, over connections that are already open. The step is done when every process injects it. " +
				"`spec` is that of a Fault object (`kubectl explain faults.spec`) without its selector. If this program dies, the fault ends with its lease.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "the release whose pods are affected"),
				grammar.Required("spec", "fields", "{abort: {code: UNAVAILABLE}, percent: 50}", "the fault: one of delay, abort, hang, cut and throttle, and which calls are affected"),
				grammar.Optional("for", "duration", "10s", "how long; default until it is healed or the run ends"),
			},
			Decode: func(o grammar.Object) Action {
				f := fault{Release: o.Text("release"), For: o.Duration("for", 0)}
				if n, ok := o.Member("spec"); ok {
					f.Spec = n.JSON()
				}
				return f
			},
		},
		Disturbs: true,
		ReadUndo: ReversalOf[objectBack],
	}
}

func (a fault) String() string {
	what := fmt.Sprintf("inject %s into %s", a.text(), a.Release)
	if a.For > 0 {
		what += fmt.Sprintf(" for %s", a.For)
	}
	return what
}

// spec returns the specification; the zero one if it is not valid.
func (a fault) spec() *policyv1.FaultSpec {
	s := &policyv1.FaultSpec{}
	if _, err := policy.Decode([]byte(a.Spec), s); err != nil {
		return &policyv1.FaultSpec{}
	}
	return s
}

// text describes the fault in a few words, such as abort {code: UNAVAILABLE} 50 % at user.v1.UserService/GetUser.
func (a fault) text() string {
	s := a.spec()
	text := policy.FaultText(s)
	if s.GetMethod() != "" {
		text += " at " + s.GetMethod()
	}
	return text
}

func (a fault) Affects() string { return a.Release }

// Matches: calls that the pods make are served by the callee, which may be any service.
func (a fault) Matches() (service string, patterns []Pattern) {
	s := a.spec()
	service = a.Release
	if s.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT {
		service = s.GetCallee()
	}
	return service, []Pattern{{"spec.method", s.GetMethod()}}
}

func (a fault) Lasts() time.Duration { return a.For }

func (a fault) Validate() []grammar.Mistake {
	s := &policyv1.FaultSpec{}
	return mistakes(a.Spec, s, func() []policy.Problem {
		checked := proto.CloneOf(s)
		if checked.GetLeaseSeconds() == 0 {
			checked.LeaseSeconds = faultLease
		}
		return policy.Check(checked)
	}, "selector")
}

func (a fault) Resolve(ctx context.Context, c Context) (Effect, error) {
	s := a.spec()
	_, ready, err := c.readyPods(ctx, a.Release)
	if err != nil {
		return Effect{}, err
	}
	if ready == 0 {
		return Effect{}, &TooFewPodsError{Text: fmt.Sprintf("injecting a fault into %s: it has no ready pod", a.Release), Try: []remedy.Remedy{remedy.Command("status")}}
	}
	more := map[string]any{"selector": selecting(a.Release)}
	if s.GetLeaseSeconds() == 0 {
		more["leaseSeconds"] = faultLease
	}
	text, err := withFields(a.Spec, more)
	if err != nil {
		return Effect{}, err
	}
	do, undo, err := put(ctx, c, target.Object{Kind: target.Fault, Name: c.objectName(), Spec: text})
	if err != nil {
		return Effect{}, err
	}
	return Effect{Detail: a.String() + fmt.Sprintf(" (%d of %d pods)", a.pods(ready), ready), Touches: a.touches(c, ready), Undo: undo, Do: do, Hold: a.For, Revert: a.For > 0}, nil
}

func (a fault) pods(ready int) int {
	if n := int(a.spec().GetPods()); n > 0 {
		return min(n, ready)
	}
	return ready
}

// touches returns the pods, and the share of the calls of the scenario's loads that are affected directly.
func (a fault) touches(c Context, ready int) report.BlastRadius {
	s := a.spec()
	n := a.pods(ready)
	radius := report.BlastRadius{Pods: n, OfPods: ready}
	if s.GetSide() == policyv1.FaultSide_FAULT_SIDE_CLIENT || s.GetShadow() {
		return radius
	}
	radius.Share = c.shareOf(func(l target.LoadSpec) bool {
		return l.Call.Service == a.Release && policy.Matches(s.GetMethod(), l.Call.Method)
	})
	radius.Share *= target.Share(n) / target.Share(ready)
	if s.Percent != nil {
		radius.Share *= target.Share(s.GetPercent() / 100)
	}
	return radius
}
