package action

import (
	"cmp"
	"context"
	"fmt"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/report"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

type applyPolicy struct{ Release, Name, Spec string }

func applyPolicyKind() Kind {
	return Kind{
		Kind: grammar.Kind[Action]{
			Name: "applyPolicy",
			Doc: "Puts a traffic policy in force for the calls to a release. The step is done when every process that it concerns enforces it. " +
				"`spec` is that of a TrafficPolicy object (`kubectl explain trafficpolicies.spec`) without its selector. Undoing restores the policy from before, or deletes it.",
			Fields: []grammar.Field{
				grammar.Required("release", "text", "userservice", "the release whose calls it concerns"),
				grammar.Required("spec", "fields", "{maxRequestsPerSecond: 50}", "the policy"),
				grammar.Optional("name", "name", "limit", "the name of the object, which is replaced if it exists; default a name of this run"),
			},
			Decode: func(o grammar.Object) Action {
				p := applyPolicy{Release: o.Text("release")}
				if o.Has("name") {
					p.Name = o.Name("name")
				}
				if n, ok := o.Member("spec"); ok {
					p.Spec = n.JSON()
				}
				return p
			},
		},
		ReadUndo: ReversalOf[objectBack],
	}
}

func (a applyPolicy) String() string {
	return fmt.Sprintf("apply policy %s to %s", cmp.Or(a.Name, a.text()), a.Release)
}

func (a applyPolicy) Affects() string { return a.Release }

func (a applyPolicy) Matches() (service string, patterns []Pattern) {
	s := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte(a.Spec), s); err != nil {
		return a.Release, nil
	}
	for i, m := range s.GetMethods() {
		patterns = append(patterns, Pattern{fmt.Sprintf("spec.methods[%d].method", i), m.GetMethod()})
	}
	return a.Release, patterns
}

// text returns the policy in one line.
func (a applyPolicy) text() string {
	s := &policyv1.TrafficPolicySpec{}
	if _, err := policy.Decode([]byte(a.Spec), s); err != nil {
		return "that is not valid"
	}
	return policy.MessageText(s)
}

func (a applyPolicy) Validate() []grammar.Mistake {
	s := &policyv1.TrafficPolicySpec{}
	return mistakes(a.Spec, s, func() []policy.Problem { return policy.Check(s) }, "selector")
}

func (a applyPolicy) Resolve(ctx context.Context, c Context) (Effect, error) {
	_, ready, err := c.readyPods(ctx, a.Release)
	if err != nil {
		return Effect{}, err
	}
	text, err := withFields(a.Spec, map[string]any{"selector": selecting(a.Release)})
	if err != nil {
		return Effect{}, err
	}
	do, undo, err := put(ctx, c, target.Object{Kind: target.TrafficPolicy, Name: cmp.Or(a.Name, c.objectName()), Spec: text})
	if err != nil {
		return Effect{}, err
	}
	return Effect{Detail: a.String(), Touches: report.BlastRadius{Pods: ready, OfPods: ready, Share: c.shareTo(a.Release)}, Undo: undo, Do: do}, nil
}
