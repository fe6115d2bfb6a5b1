package traffic

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// Process is a pod and what it does with a policy.
type Process struct {
	// Pod is the name of the pod, and Service the name under which it is called.
	Pod     string `json:"pod"`
	Service string `json:"service"`
	// Connected is false for a pod that receives no configuration now.
	Connected bool `json:"connected"`
	// Fields are the fields of the policy that concern the pod, and what it does with them.
	Fields []Field `json:"fields"`
}

// Field is what a process does with a field of a policy.
type Field struct {
	// Field is the path of the field in the policy.
	Field string `json:"field"`
	// Verdict is enforced, approximated, ignored, rejected or pending.
	Verdict string `json:"verdict"`
	// Why says why it is not enforced as written.
	Why string `json:"why,omitempty"`
}

// Summary is one policy in a list.
type Summary struct {
	// Name is the name of the policy. Selector has the labels of the pods that it selects; it is empty, not nil, without any.
	Name     string            `json:"name"`
	Selector map[string]string `json:"selector"`
	// Spec is the specification in one line.
	Spec string `json:"spec"`
	// Accepted is true if the control plane can use the policy, InForce if every process that it concerns enforces it.
	Accepted bool `json:"accepted"`
	InForce  bool `json:"inForce"`
	// Reason is one word, such as Enforced or NoTarget; Why is a sentence.
	Reason string `json:"reason"`
	Why    string `json:"why,omitempty"`
	// Enforcing is how many of the Processes that it concerns enforce all of it.
	Enforcing int `json:"enforcing"`
	Processes int `json:"processes"`
	// Created is when the object was created, in UTC.
	Created time.Time `json:"created"`
}

// Pending is the reason of a policy that the control plane has not read yet.
const Pending = "Pending"

// Summarize returns what is known of a policy from the object alone.
func Summarize(p api.TrafficPolicy) Summary {
	s := Summary{Name: p.Name, Selector: map[string]string{}, Enforcing: p.Status.Enforcing, Processes: p.Status.Subscribers, Created: p.CreationTimestamp.UTC()}
	// What is not valid has a condition that says so.
	spec, _ := p.Decode()
	if labels := spec.GetSelector().GetMatchLabels(); labels != nil {
		s.Selector = labels
	}
	spec.Selector = nil
	s.Spec = strings.Trim(policy.MessageText(spec), "{}")
	accepted, programmed := current(p, api.Accepted), current(p, api.Programmed)
	s.Accepted, s.InForce = isTrue(accepted), isTrue(programmed)
	switch {
	case accepted == nil || programmed == nil:
		s.Reason, s.Why = Pending, "the control plane has not read it yet"
	case !s.Accepted:
		s.Reason, s.Why = accepted.Reason, accepted.Message
	default:
		s.Reason, s.Why = programmed.Reason, programmed.Message
	}
	return s
}

// current returns a condition of the present generation; nil if there is none.
func current(p api.TrafficPolicy, kind string) *metav1.Condition {
	c := meta.FindStatusCondition(p.Status.Conditions, kind)
	if c == nil || c.ObservedGeneration != p.Generation {
		return nil
	}
	return c
}

func isTrue(c *metav1.Condition) bool { return c != nil && c.Status == metav1.ConditionTrue }

// Status is a policy with every process that it concerns.
type Status struct {
	Summary
	// Subscribers are the processes that the policy concerns, by service and pod.
	Subscribers []Process `json:"subscribers"`
}

// Inspected is what the status of a policy is read from.
type Inspected interface {
	Subscribers
	// Policy returns a policy by its name.
	Policy(ctx context.Context, name string) (*api.TrafficPolicy, error)
}

// StatusOf returns the status of a policy. Unlike that of the object, it has every process and field.
func StatusOf(ctx context.Context, c Inspected, name string) (Status, error) {
	object, err := c.Policy(ctx, name)
	if err != nil {
		return Status{}, err
	}
	subscribers, err := c.Subscribers(ctx, compile.KindTrafficPolicy, name)
	if err != nil {
		return Status{}, err
	}
	return Status{Summary: Summarize(*object), Subscribers: processesOf(subscribers)}, nil
}

// processesOf returns the processes in the order of their services and names.
func processesOf(subscribers []*controlv1.Subscriber) []Process {
	all := []Process{}
	for _, s := range subscribers {
		p := Process{Pod: s.GetPod(), Service: s.GetService(), Connected: s.GetConnectedSince() != nil, Fields: []Field{}}
		for _, f := range s.GetFields() {
			p.Fields = append(p.Fields, Field{f.GetField(), verdictName(f.GetVerdict()), f.GetWhy()})
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Process) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), strings.Compare(a.Pod, b.Pod))
	})
	return all
}

func verdictName(v controlv1.Verdict) string {
	return strings.ToLower(strings.TrimPrefix(v.String(), "VERDICT_"))
}
