package control

import (
	"fmt"
	"slices"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// verdictsOf returns what a process does with a field: one verdict for a process that receives its policy, which applies a part as a whole; one for
// each field of the part for a client that speaks xDS itself.
func verdictsOf(s ads.Subscriber, v compile.Value, known served) []*controlv1.FieldVerdict {
	if s.Kind == xds.Governance || v.LostTo != nil {
		verdict, why := verdictOf(s, v, known)
		return []*controlv1.FieldVerdict{{Field: v.Field, Verdict: verdict, Why: why}}
	}
	fields := xds.Judge(s.Kind, v)
	for _, f := range fields {
		if f.GetVerdict() == controlv1.Verdict_VERDICT_IGNORED {
			// Whatever the client has acknowledged.
			continue
		}
		if verdict, why := verdictOf(s, v, known); verdict == controlv1.Verdict_VERDICT_REJECTED || verdict == controlv1.Verdict_VERDICT_PENDING || !known.has(s, v) {
			f.Verdict, f.Why = verdict, why
			continue
		}
		if s.Kind == xds.NGINX {
			// Its agent applies the rules of each method as governance does.
			continue
		}
		if why := xds.Overlapped(v, s.Compiled.Values); why != "" {
			f.Verdict, f.Why = controlv1.Verdict_VERDICT_APPROXIMATED, why
		}
		if f.GetVerdict() == controlv1.Verdict_VERDICT_ENFORCED && !xds.Checked(s.Agent) {
			f.Verdict, f.Why = controlv1.Verdict_VERDICT_APPROXIMATED, "not checked with "+s.Agent
		}
	}
	return fields
}

// served has the methods of each service, by namespace/service, as far as its processes said what they serve.
type served map[string][]string

func servedBy(all []ads.Subscriber) served {
	known := served{}
	for _, s := range all {
		if s.Served != nil {
			at := s.Namespace + "/" + s.Service()
			known[at] = append(known[at], s.Served...)
		}
	}
	return known
}

// has reports whether a value can apply to a method of the service that is called. It returns true if that is not known.
func (k served) has(s ads.Subscriber, v compile.Value) bool {
	service := s.Service()
	if v.Side == compile.Client {
		service = v.Callee
	}
	methods, known := k[s.Namespace+"/"+service]
	return !known || v.Method == "" || v.Object.Kind != compile.KindTrafficPolicy || slices.ContainsFunc(methods, func(m string) bool { return policy.Matches(v.Method, m) })
}

// inShadowMode says what a process does with a policy or a fault in shadow mode.
const inShadowMode = "in shadow mode: what it would have refused, ejected or injected is counted, and it has no effect"

// verdictOf returns what a process does with a field.
func verdictOf(s ads.Subscriber, v compile.Value, known served) (controlv1.Verdict, string) {
	switch {
	case v.LostTo != nil:
		return controlv1.Verdict_VERDICT_IGNORED, fmt.Sprintf("%s applies instead", v.LostTo)
	case s.Rejected != "":
		return controlv1.Verdict_VERDICT_REJECTED, s.Rejected
	case !s.InForce:
		return controlv1.Verdict_VERDICT_PENDING, "not acknowledged yet"
	case !known.has(s, v):
		return controlv1.Verdict_VERDICT_IGNORED, fmt.Sprintf("%s matches no method of the service", v.Method)
	case v.Ignored != "":
		return controlv1.Verdict_VERDICT_IGNORED, v.Ignored
	case v.Shadow:
		return controlv1.Verdict_VERDICT_APPROXIMATED, inShadowMode
	case v.Approximated != "":
		return controlv1.Verdict_VERDICT_APPROXIMATED, v.Approximated
	default:
		return controlv1.Verdict_VERDICT_ENFORCED, ""
	}
}

// tally counts a verdict, and reports whether the field is in force.
func tally(all *api.Verdicts, verdict controlv1.Verdict) (inForce bool) {
	switch verdict {
	case controlv1.Verdict_VERDICT_ENFORCED:
		all.Enforced++
		return true
	case controlv1.Verdict_VERDICT_APPROXIMATED:
		all.Approximated++
		return true
	case controlv1.Verdict_VERDICT_IGNORED:
		all.Ignored++
	case controlv1.Verdict_VERDICT_REJECTED:
		all.Rejected++
	default:
		all.Pending++
	}
	return false
}

// essential returns the first field that is ignored, because of which the fault as a whole is not injected; nil if there is none.
func essential(fields []*controlv1.FieldVerdict) *controlv1.FieldVerdict {
	for _, f := range fields {
		if f.GetVerdict() == controlv1.Verdict_VERDICT_IGNORED {
			return f
		}
	}
	return nil
}

func verdictName(v controlv1.Verdict) string {
	name := strings.ToLower(strings.TrimPrefix(v.String(), "VERDICT_"))
	return strings.ToUpper(name[:1]) + name[1:]
}
