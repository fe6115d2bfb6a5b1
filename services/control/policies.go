package control

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// policies serves control.v1.Policies.
type policies struct {
	controlv1.UnimplementedPoliciesServer
	plane *Plane
}

// Explain returns the values that apply to the calls of a service: those that its pods enforce, and those that its callers enforce.
func (p policies) Explain(_ context.Context, r *controlv1.ExplainRequest) (*controlv1.ExplainResponse, error) {
	var pod *compile.Pod
	for _, candidate := range p.plane.Store.Pods(r.GetNamespace()) {
		if candidate.Service() == r.GetService() && (pod == nil || candidate.Name < pod.Name) {
			pod = &candidate
		}
	}
	if pod == nil {
		return nil, status.Errorf(codes.NotFound, "namespace %s has no pod of service %s, which is its label %s", r.GetNamespace(), r.GetService(), compile.ServiceLabel)
	}
	server := p.plane.Store.Compile(compile.Process{Pod: *pod, Callees: []string{}})
	client := p.plane.Store.Compile(compile.Process{Pod: compile.Pod{Namespace: pod.Namespace}, Callees: []string{pod.Service()}})
	answer := &controlv1.ExplainResponse{Policy: server.Policy}
	answer.Policy.Client, answer.Policy.Connections = client.Policy.GetClient(), client.Policy.GetConnections()
	for _, v := range append(server.Values, client.Values...) {
		if v.LostTo != nil || r.GetMethod() != "" && !policy.Matches(v.Method, r.GetMethod()) {
			continue
		}
		answer.Values = append(answer.Values, &controlv1.ExplainedValue{Method: v.Method, Field: v.Field, Object: v.Object.Kind + " " + v.Object.Namespace + "/" + v.Object.Name,
			Side: string(v.Side), Value: explained(v)})
	}
	return answer, nil
}

// explained returns the text of a value, and whether it is enforced for every call.
func explained(v compile.Value) string {
	text := v.Text
	if v.Percent != nil {
		text += fmt.Sprintf(" (%g%% of the calls)", *v.Percent)
	}
	if v.Shadow && !strings.Contains(text, "shadow") {
		text += " (in shadow mode)"
	}
	return text
}

// Subscribers returns the processes that receive configuration, and what each does with an object. For a policy, the selected pods that are not
// connected follow.
func (p policies) Subscribers(_ context.Context, r *controlv1.SubscribersRequest) (*controlv1.SubscribersResponse, error) {
	answer := &controlv1.SubscribersResponse{}
	view := p.plane.View()
	for _, s := range view.Subscribers {
		if r.GetNamespace() != "" && s.Namespace != r.GetNamespace() {
			continue
		}
		one := &controlv1.Subscriber{Namespace: s.Namespace, Pod: s.Name, Service: s.Service(), ConnectedSince: timestamppb.New(s.Since),
			SentVersion: s.Sent, AcknowledgedVersion: s.Acknowledged, Rejected: s.Rejected,
			Client: cmp.Or(s.Agent, string(s.Kind))}
		for _, v := range s.Compiled.Values {
			if strings.EqualFold(v.Object.Kind, r.GetKind()) && v.Object.Name == r.GetName() {
				one.Fields = append(one.Fields, verdictsOf(s, v, view.served)...)
			}
		}
		if r.GetName() == "" || len(one.GetFields()) > 0 {
			answer.Subscribers = append(answer.Subscribers, one)
		}
	}
	if strings.EqualFold(r.GetKind(), compile.KindTrafficPolicy) {
		answer.Subscribers = append(answer.Subscribers, view.notConnected(r)...)
	}
	return answer, nil
}

// notConnected returns the pods that a policy selects and that are not connected.
func (v View) notConnected(r *controlv1.SubscribersRequest) (all []*controlv1.Subscriber) {
	present, _ := v.store.Objects()
	for _, p := range present {
		if p.Name != r.GetName() || r.GetNamespace() != "" && p.Namespace != r.GetNamespace() {
			continue
		}
		for _, a := range v.absent(v.selected(p)) {
			all = append(all, &controlv1.Subscriber{Namespace: a.pod.Namespace, Pod: a.pod.Name, Service: a.pod.Service(),
				Fields: []*controlv1.FieldVerdict{{Verdict: a.verdict, Why: a.why}}})
		}
	}
	return all
}
