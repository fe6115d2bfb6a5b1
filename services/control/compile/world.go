// Package compile computes what each process must enforce from the objects of a cluster. It is a pure function: the same World gives the same
// policies, in whatever order its objects are listed.
//
//	TrafficPolicies ─┐                      ┌─▶ EffectivePolicy of each pod, with the objects that it came from
//	Faults ──────────┼─▶ World ── Compile ──┤
//	pods ────────────┘                      └─▶ Outcome of each object: targets, fields that lost against another object
//
// A policy is enforced in two places. What concerns received calls goes to the pods that its selector selects; what concerns outgoing calls goes to
// every process of the namespace, for the callee that the selected pods serve. Objects of a namespace never affect another namespace.
package compile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// ServiceLabel is the label of a pod with the name under which others call it.
const ServiceLabel = "app.kubernetes.io/name"

// World is everything on which the policies of processes depend.
type World struct {
	// Policies, Faults and Pods are those of every namespace, in any order.
	Policies []TrafficPolicy
	Faults   []Fault
	Pods     []Pod
	// Now decides which faults have ended.
	Now time.Time
}

// Object identifies an object and a version of its specification.
type Object struct {
	Kind, Namespace, Name string
	// UID, Generation and Created are those of the metadata. Generation changes with each change of the specification.
	UID        string
	Generation int64
	Created    time.Time
}

// The kinds of objects.
const (
	KindTrafficPolicy = "TrafficPolicy"
	KindFault         = "Fault"
)

// String returns the object as Kind namespace/name.
func (o Object) String() string { return o.Kind + " " + o.Namespace + "/" + o.Name }

// TrafficPolicy is a TrafficPolicy object.
type TrafficPolicy struct {
	Object
	Spec *policyv1.TrafficPolicySpec
}

// Fault is a Fault object.
type Fault struct {
	Object
	Spec *policyv1.FaultSpec
	// Ended means that the fault is no longer injected: its lease has ended, or it is being deleted.
	Ended bool
}

// Over reports whether the fault is no longer injected.
func (f Fault) Over(now time.Time) bool {
	until, limited := f.Until()
	return f.Ended || limited && !now.Before(until)
}

// Until returns when the duration of the fault ends; false if it has none.
func (f Fault) Until() (time.Time, bool) {
	if f.Spec.GetDuration() == nil {
		return time.Time{}, false
	}
	return f.Created.Add(f.Spec.GetDuration().AsDuration()), true
}

// Pod is a process that may receive configuration.
type Pod struct {
	// Namespace and Name identify the pod. Account is its service account.
	Namespace, Name, Account string
	Labels                   map[string]string
	// Ready is false for a pod that is being deleted.
	Ready bool
	// Created is when the pod was created.
	Created time.Time
	// IP and Port are where the pod receives calls; empty and 0 if they are not known.
	IP   string
	Port uint32
}

// Service returns the name under which others call the pod.
func (p Pod) Service() string { return cmp.Or(p.Labels[ServiceLabel], p.Account) }

// Key returns namespace/name.
func (p Pod) Key() string { return p.Namespace + "/" + p.Name }

// Selected reports whether the selector of an object selects the pod. An empty selector selects none.
func (p Pod) Selected(o Object, s *policyv1.WorkloadSelector) bool {
	if p.Namespace != o.Namespace || len(s.GetMatchLabels()) == 0 {
		return false
	}
	for key, value := range s.GetMatchLabels() {
		if has, ok := p.Labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// byAge sorts pods from the oldest, so that a fault stays in the pods that it has when others start.
func byAge(pods []Pod) {
	slices.SortFunc(pods, func(a, b Pod) int { return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.Name, b.Name)) })
}
