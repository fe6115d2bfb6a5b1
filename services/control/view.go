package control

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/control/ads"
	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/control/xds"
)

// View is what is known at one moment about all objects and processes.
type View struct {
	Subscribers []ads.Subscriber
	served      served
	store       *Store
	present     *presence
	now         time.Time
}

// View returns what is known now.
func (p *Plane) View() View {
	all, now := p.Subscribers(), time.Now()
	p.present.see(all, now)
	return View{all, servedBy(all), p.Store, &p.present, now}
}

// maxExceptions bounds the status of an object. `sandbox policy status` lists all of them.
const maxExceptions = 20

// PolicyStatus returns the status of a policy. rejected is why its specification cannot be used, or nil.
func (v View) PolicyStatus(p compile.TrafficPolicy, rejected error, last api.TrafficPolicyStatus) api.TrafficPolicyStatus {
	next := api.TrafficPolicyStatus{Conditions: slices.Clone(last.Conditions)}
	if rejected != nil {
		v.condition(&next.Conditions, p.Object, api.Accepted, false, "Invalid", remedy.Line(rejected, nil))
		v.condition(&next.Conditions, p.Object, api.Programmed, false, "Invalid", "the specification is not valid")
		return next
	}
	v.condition(&next.Conditions, p.Object, api.Accepted, true, "Valid", "")
	compiled := false
	v.store.With(func(c *compile.Compiler) { compiled = c.Has(p.Object) })
	if !compiled {
		// The operator sees objects a moment before they are compiled.
		v.condition(&next.Conditions, p.Object, api.Programmed, false, "Pending", "not compiled yet")
		return next
	}
	for _, s := range v.Subscribers {
		if s.Namespace == p.Namespace {
			v.count(&next, p.Object, s)
		}
	}
	selected := v.selected(p)
	for _, a := range v.absent(selected) {
		tally(&next.Verdicts, a.verdict)
		next.Exceptions = append(next.Exceptions, api.Exception{Pod: a.pod.Name, Verdict: verdictName(a.verdict), Why: a.why})
	}
	next.Conflicts = slices.CompactFunc(sorted(next.Conflicts, func(a, b api.Conflict) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Winner, b.Winner))
	}), func(a, b api.Conflict) bool { return a == b })
	status, reason, message := programmed(next, len(selected) > 0, p.Spec.GetShadow())
	v.condition(&next.Conditions, p.Object, api.Programmed, status, reason, message)
	if len(next.Exceptions) > maxExceptions {
		next.Exceptions = next.Exceptions[:maxExceptions]
	}
	return next
}

// count adds what one process does with a policy.
func (v View) count(next *api.TrafficPolicyStatus, p compile.Object, s ads.Subscriber) {
	concerns, whole := false, true
	for _, value := range s.Compiled.Values {
		if value.Object.UID != p.UID {
			continue
		}
		if s.Kind == xds.GRPC && value.Side == compile.Server && v.governed(s.Process) {
			// Governance in the same process enforces it.
			continue
		}
		if value.LostTo != nil {
			next.Conflicts = append(next.Conflicts, api.Conflict{Field: value.Field, Winner: value.LostTo.Name})
			continue
		}
		concerns = true
		for _, f := range verdictsOf(s, value, v.served) {
			if value.Object.Generation != p.Generation {
				f.Verdict, f.Why = controlv1.Verdict_VERDICT_PENDING, "the change is not compiled yet"
			}
			// Counting is not enforcing.
			whole = tally(&next.Verdicts, f.GetVerdict()) && whole && !value.Shadow
			if f.GetVerdict() != controlv1.Verdict_VERDICT_ENFORCED {
				next.Exceptions = append(next.Exceptions, api.Exception{Pod: s.Name, Field: f.GetField(), Verdict: verdictName(f.GetVerdict()), Why: f.GetWhy()})
			}
		}
	}
	if concerns {
		next.Subscribers++
		if whole {
			next.Enforcing++
		}
	}
}

// governed reports whether a process receives its policy, too, in addition to the resources of xDS.
func (v View) governed(p compile.Process) bool {
	return slices.ContainsFunc(v.Subscribers, func(s ads.Subscriber) bool { return s.Kind == xds.Governance && s.Key() == p.Key() })
}

// selected returns the pods that a policy selects.
func (v View) selected(p compile.TrafficPolicy) (pods []compile.Pod) {
	for _, pod := range v.store.Pods(p.Namespace) {
		if pod.Selected(p.Object, p.Spec.GetSelector()) {
			pods = append(pods, pod)
		}
	}
	return sorted(pods, func(a, b compile.Pod) int { return strings.Compare(a.Name, b.Name) })
}

func programmed(s api.TrafficPolicyStatus, selects, shadow bool) (ok bool, reason, message string) {
	n := s.Verdicts
	switch {
	case n.Rejected > 0:
		return false, "Rejected", fmt.Sprintf("%d fields were rejected", n.Rejected)
	case n.Ignored > 0:
		return false, "Ignored", fmt.Sprintf("%d fields or pods ignore the policy", n.Ignored)
	case n.Pending > 0:
		return false, "Pending", fmt.Sprintf("%d fields are not acknowledged yet", n.Pending)
	case s.Subscribers == 0 && len(s.Conflicts) > 0:
		return false, "Overridden", "other policies apply instead"
	case s.Subscribers == 0 && selects:
		return false, "NoEffect", "the selector selects pods, but the policy sets nothing for them or their callers"
	case s.Subscribers == 0:
		return false, "NoTarget", "the selector selects no pod that receives configuration"
	case shadow:
		return true, "Shadow", fmt.Sprintf("in shadow mode in %d processes, which count what it would have refused", s.Subscribers)
	case n.Approximated > 0:
		return true, "Approximated", fmt.Sprintf("%d fields are enforced with a difference", n.Approximated)
	default:
		return true, "Enforced", fmt.Sprintf("by %d processes", s.Subscribers)
	}
}

// FaultStatus returns the status of a fault, and whether no process injects it any more.
func (v View) FaultStatus(f compile.Fault, rejected error, last api.FaultStatus) (next api.FaultStatus, cleared bool) {
	next = api.FaultStatus{Conditions: slices.Clone(last.Conditions), Reason: last.Reason, Phase: last.Phase}
	if rejected == nil && !v.store.Permitted(f.Namespace) {
		rejected = fmt.Errorf("namespace %s does not permit faults: it has no label %s=%s", f.Namespace, api.FaultsLabel, api.FaultsAllowed)
	}
	if rejected != nil {
		v.condition(&next.Conditions, f.Object, api.Accepted, false, "Invalid", remedy.Line(rejected, nil))
		next.Phase = api.FaultRejected
		return next, true
	}
	v.condition(&next.Conditions, f.Object, api.Accepted, true, "Valid", "")
	over := f.Over(v.now) || v.store.Leases.Over(f.UID) || last.Phase == api.FaultEnded
	next.Targets = v.targets(f, over)
	next.Total = len(next.Targets)
	for _, t := range next.Targets {
		if t.State == targetApplied {
			next.Applied++
		}
	}
	cleared = over && !slices.ContainsFunc(next.Targets, func(t api.FaultTarget) bool { return t.State == targetApplied || t.State == targetClearing })
	switch {
	case cleared:
		next.Phase, next.Reason = api.FaultEnded, cmp.Or(last.Reason, v.whyOver(f))
	case over:
		next.Phase, next.Reason = api.FaultClearing, cmp.Or(last.Reason, v.whyOver(f))
	case next.Total > 0 && next.Applied == next.Total:
		next.Phase = api.FaultActive
	default:
		next.Phase = api.FaultPending
	}
	return next, cleared
}

// The states of a target.
const (
	targetApplied      = "Applied"
	targetPending      = "Pending"
	targetRejected     = "Rejected"
	targetUnsubscribed = "NotConnected"
	targetClearing     = "Clearing"
	targetCleared      = "Cleared"
	targetIgnored      = "Ignored"
)

// targets returns what each present target does with a fault.
func (v View) targets(f compile.Fault, over bool) (all []api.FaultTarget) {
	var pods []compile.Pod
	v.store.With(func(c *compile.Compiler) { pods = c.TargetsOf(f) })
	for _, pod := range pods {
		t := api.FaultTarget{Pod: pod.Name, State: targetUnsubscribed, Why: notConnected}
		for _, s := range v.Subscribers {
			if s.Key() == pod.Key() {
				t.State, t.Why = v.target(f, s, over)
				if s.Kind == xds.Governance {
					break
				}
			}
		}
		if over && t.State == targetUnsubscribed && v.mayStillInject(f) {
			t.State = targetClearing
		}
		all = append(all, t)
	}
	return all
}

// target returns what a process does with a fault.
func (v View) target(f compile.Fault, s ads.Subscriber, over bool) (state, why string) {
	at := slices.IndexFunc(s.Compiled.Values, func(value compile.Value) bool { return value.Object.UID == f.UID })
	if at >= 0 && s.Kind != xds.Governance {
		if ignores := essential(xds.Judge(s.Kind, s.Compiled.Values[at])); ignores != nil {
			return targetIgnored, ignores.GetWhy()
		}
	}
	switch {
	case s.Rejected != "":
		return targetRejected, s.Rejected
	case over && s.InForce && at < 0:
		return targetCleared, ""
	case over:
		return targetClearing, "not acknowledged yet"
	case s.InForce && at >= 0:
		return targetApplied, ""
	default:
		return targetPending, "not acknowledged yet"
	}
}

// mayStillInject reports whether a process that is not connected may still inject a fault that is over: until its lease or its duration has ended
// there too.
func (v View) mayStillInject(f compile.Fault) bool {
	if seconds := f.Spec.GetLeaseSeconds(); seconds > 0 {
		return v.store.overSince(f.UID, v.now) < time.Duration(seconds)*time.Second
	}
	until, limited := f.Until()
	return limited && v.now.Before(until)
}

func (v View) whyOver(f compile.Fault) string {
	switch {
	case v.store.Leases.Over(f.UID):
		return "its lease was not renewed"
	case f.Ended:
		return "it was deleted"
	default:
		return "its duration is over"
	}
}

func (v View) condition(all *[]metav1.Condition, o compile.Object, kind string, ok bool, reason, message string) {
	status := metav1.ConditionFalse
	if ok {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(all, metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: o.Generation})
}

func sorted[T any](all []T, compare func(a, b T) int) []T {
	slices.SortFunc(all, compare)
	return all
}
