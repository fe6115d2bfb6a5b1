// Package api has the objects of the control plane as the API server stores them: TrafficPolicy and Fault of sandbox.dev/v1alpha1. The grammar of
// their specifications is that of policy/v1/traffic.proto; Decode reads it.
package api

import (
	"encoding/json"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the objects.
var GroupVersion = schema.GroupVersion{Group: "sandbox.dev", Version: "v1alpha1"}

// FaultsLabel is the label of a namespace that permits faults in it, with the value FaultsAllowed.
const (
	FaultsLabel   = "sandbox.dev/faults"
	FaultsAllowed = "allowed"
)

// Finalizer keeps a Fault until every process has stopped injecting it.
const Finalizer = "sandbox.dev/fault-clearance"

// AddToScheme adds the objects to a scheme.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &TrafficPolicy{}, &TrafficPolicyList{}, &Fault{}, &FaultList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// TrafficPolicy says how the calls to a workload are treated.
type TrafficPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	// Spec is a policy.v1.TrafficPolicySpec.
	Spec json.RawMessage `json:"spec"`
	// Status is set by the control plane.
	Status TrafficPolicyStatus `json:"status,omitzero"`
}

// TrafficPolicyList is a list of objects.
type TrafficPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []TrafficPolicy `json:"items"`
}

// The conditions of objects.
const (
	// Accepted says whether the control plane understood the object.
	Accepted = "Accepted"
	// Programmed says whether every process that the object concerns enforces it.
	Programmed = "Programmed"
)

// TrafficPolicyStatus says who enforces a policy.
type TrafficPolicyStatus struct {
	// Conditions has Accepted and Programmed.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Subscribers counts the processes that the policy concerns, Enforcing those that enforce all of it. A value that is only counted, in shadow mode, is not
	// enforced.
	Subscribers int `json:"subscribers"`
	Enforcing   int `json:"enforcing"`
	// Verdicts counts fields by what processes do with them.
	Verdicts Verdicts `json:"verdicts"`
	// Exceptions are fields that a process does not enforce as written, at most 20.
	Exceptions []Exception `json:"exceptions,omitempty"`
	// Conflicts are fields that do not apply because another policy does.
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// Verdicts counts fields of a policy in processes: a field that concerns three processes is counted three times.
type Verdicts struct {
	Enforced     int `json:"enforced"`
	Approximated int `json:"approximated"`
	Ignored      int `json:"ignored"`
	Rejected     int `json:"rejected"`
	Pending      int `json:"pending"`
}

// Exception is a field that a process does not enforce as written.
type Exception struct {
	// Pod is the name of the pod, in the namespace of the policy. Field is the path of the field; empty if the exception is about the pod as a whole.
	Pod   string `json:"pod"`
	Field string `json:"field"`
	// Verdict is Approximated, Ignored, Rejected or Pending, and Why the reason.
	Verdict string `json:"verdict"`
	Why     string `json:"why,omitempty"`
}

// Conflict is a field that does not apply because another policy does.
type Conflict struct {
	// Field is the path of the field, Winner the name of the policy that applies instead.
	Field  string `json:"field"`
	Winner string `json:"winner"`
}

// Fault injects a fault into calls.
type Fault struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	// Spec is a policy.v1.FaultSpec.
	Spec json.RawMessage `json:"spec"`
	// Status is set by the control plane.
	Status FaultStatus `json:"status,omitzero"`
}

// FaultList is a list of objects.
type FaultList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Fault `json:"items"`
}

// The phases of a fault.
const (
	FaultPending  = "Pending"
	FaultActive   = "Active"
	FaultClearing = "Clearing"
	FaultEnded    = "Ended"
	FaultRejected = "Rejected"
)

// FaultStatus says where a fault is injected.
type FaultStatus struct {
	// Conditions has Accepted.
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Phase is FaultPending or another of these constants; empty until the control plane has read the fault.
	Phase string `json:"phase,omitempty"`
	// Reason is why the fault has ended.
	Reason string `json:"reason,omitempty"`
	// Targets are the pods into whose calls the fault is injected.
	Targets []FaultTarget `json:"targets,omitempty"`
	// Applied counts the targets that inject it, of Total.
	Applied int `json:"applied"`
	Total   int `json:"total"`
}

// FaultTarget is a pod with a fault.
type FaultTarget struct {
	// Pod is the name of the pod, in the namespace of the fault.
	Pod string `json:"pod"`
	// State is Applied, Pending, Rejected, NotConnected, Clearing, Cleared or Ignored, and Why the reason; empty for Applied and Cleared.
	State string `json:"state"`
	Why   string `json:"why,omitempty"`
}

// DeepCopyObject copies the object.
func (p *TrafficPolicy) DeepCopyObject() runtime.Object { return p.DeepCopy() }

// DeepCopy copies the object.
func (p *TrafficPolicy) DeepCopy() *TrafficPolicy {
	c := *p
	p.DeepCopyInto(&c.ObjectMeta)
	c.Spec = append(json.RawMessage(nil), p.Spec...)
	c.Status.Conditions = copyConditions(p.Status.Conditions)
	c.Status.Exceptions = append([]Exception(nil), p.Status.Exceptions...)
	c.Status.Conflicts = append([]Conflict(nil), p.Status.Conflicts...)
	return &c
}

// DeepCopyObject copies the list.
func (l *TrafficPolicyList) DeepCopyObject() runtime.Object {
	c := *l
	c.Items = make([]TrafficPolicy, len(l.Items))
	for i := range l.Items {
		c.Items[i] = *l.Items[i].DeepCopy()
	}
	return &c
}

// DeepCopyObject copies the object.
func (f *Fault) DeepCopyObject() runtime.Object { return f.DeepCopy() }

// DeepCopy copies the object.
func (f *Fault) DeepCopy() *Fault {
	c := *f
	f.DeepCopyInto(&c.ObjectMeta)
	c.Spec = append(json.RawMessage(nil), f.Spec...)
	c.Status.Conditions = copyConditions(f.Status.Conditions)
	c.Status.Targets = append([]FaultTarget(nil), f.Status.Targets...)
	return &c
}

// DeepCopyObject copies the list.
func (l *FaultList) DeepCopyObject() runtime.Object {
	c := *l
	c.Items = make([]Fault, len(l.Items))
	for i := range l.Items {
		c.Items[i] = *l.Items[i].DeepCopy()
	}
	return &c
}

func copyConditions(all []metav1.Condition) []metav1.Condition {
	return append([]metav1.Condition(nil), all...)
}
