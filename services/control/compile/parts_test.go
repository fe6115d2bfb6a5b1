package compile

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// TestParts_EveryFieldIsCompiled sets each field of a policy by itself, and looks for it in what the processes get on the sides that sides names.
func TestParts_EveryFieldIsCompiled(t *testing.T) {
	selector := &policyv1.WorkloadSelector{MatchLabels: map[string]string{ServiceLabel: "b"}}
	for _, whole := range []bool{true, false} {
		template := proto.Message(&policyv1.MethodPolicy{})
		if whole {
			template = &policyv1.TrafficPolicySpec{}
		}
		fields := template.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			switch f.Name() {
			case "selector", "methods", "method", "shadow", "percent":
				continue
			}
			m := proto.Clone(template)
			fill(m.ProtoReflect(), f)
			spec, ok := m.(*policyv1.TrafficPolicySpec)
			if !ok {
				spec = &policyv1.TrafficPolicySpec{Methods: []*policyv1.MethodPolicy{m.(*policyv1.MethodPolicy)}}
			}
			spec.Selector = selector
			c := New(World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{traffic("p", spec)}})
			got := map[Side]*policyv1.EffectivePolicy{Server: c.For(Process{Pod: pod("b", "b-1"), Callees: []string{}}).Policy, Client: c.For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}}).Policy}
			if len(sides[f.Name()]) == 0 {
				t.Errorf("%s is on no side", f.FullName())
			}
			for side, p := range got {
				// Both have a rule or nothing; a rule that has lost the field is empty but for its names.
				if has := p.GetVersion() != "" && carries(p); has != isOn(side, f.Name()) {
					t.Errorf("%s on the %s side: %v", f.FullName(), side, p)
				}
			}
		}
	}
}

// carries reports whether a policy says more than names of methods and callees.
func carries(p *policyv1.EffectivePolicy) bool {
	p = proto.CloneOf(p)
	p.Version = ""
	for _, r := range p.GetServer() {
		r.Method = ""
	}
	for _, r := range p.GetClient() {
		r.Method, r.Callee = "", ""
	}
	for _, c := range p.GetConnections() {
		c.Callee = ""
	}
	whole := proto.Size(p)
	// An empty entry of a list takes two bytes.
	return whole > 2*(len(p.GetServer())+len(p.GetClient())+len(p.GetConnections()))
}

// fill sets a field, and every field below it, to something.
func fill(m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
	case f.IsList() && f.Message() != nil:
		fillAll(m.Mutable(f).List().AppendMutable().Message())
	case f.IsList():
		m.Mutable(f).List().Append(protoreflect.ValueOfString("UNAVAILABLE"))
	case f.Message() != nil:
		fillAll(m.Mutable(f).Message())
	case f.Kind() == protoreflect.BoolKind:
		m.Set(f, protoreflect.ValueOfBool(true))
	case f.Kind() == protoreflect.EnumKind:
		m.Set(f, protoreflect.ValueOfEnum(2))
	case f.Kind() == protoreflect.Uint32Kind:
		m.Set(f, protoreflect.ValueOfUint32(7))
	case f.Kind() == protoreflect.DoubleKind:
		m.Set(f, protoreflect.ValueOfFloat64(7))
	case f.Kind() == protoreflect.StringKind:
		m.Set(f, protoreflect.ValueOfString("x"))
	case f.Kind() == protoreflect.Int64Kind:
		m.Set(f, protoreflect.ValueOfInt64(7))
	case f.Kind() == protoreflect.Int32Kind:
		m.Set(f, protoreflect.ValueOfInt32(7))
	}
}

func fillAll(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.ContainingOneof() == nil || m.WhichOneof(f.ContainingOneof()) == nil {
			fill(m, f)
		}
	}
}

// TestParts_EveryPartOfGovernanceCanBeSet compares the fields of rules with those of a TrafficPolicy, so that no new part is forgotten.
func TestParts_EveryPartOfGovernanceCanBeSet(t *testing.T) {
	// These concern every part of a policy.
	ofPolicy := map[protoreflect.Name]bool{"shadow": true, "percent": true}
	renamed := map[protoreflect.Name]protoreflect.Name{"least_request": "load_balancing"}
	method, whole := (&policyv1.MethodPolicy{}).ProtoReflect().Descriptor().Fields(), (&policyv1.TrafficPolicySpec{}).ProtoReflect().Descriptor().Fields()
	for _, c := range []struct {
		rule proto.Message
		in   protoreflect.FieldDescriptors
	}{{&policyv1.ServerRule{}, method}, {&policyv1.ClientRule{}, method}, {&policyv1.Connection{}, whole}} {
		fields := c.rule.ProtoReflect().Descriptor().Fields()
		for i := range fields.Len() {
			name := fields.Get(i).Name()
			if to, ok := renamed[name]; ok {
				name = to
			}
			in := c.in
			if ofPolicy[name] {
				in = whole
			}
			if name != "callee" && in.ByName(name) == nil {
				t.Errorf("%s cannot be set by a TrafficPolicy", fields.Get(i).FullName())
			}
		}
	}
}

// TestParts_InForceWithTheNextConnection checks what is said about values that open connections do not have.
func TestParts_InForceWithTheNextConnection(t *testing.T) {
	spec := specOf(t, byName+"healthCheck: {disabled: true}\nserverIdentity: {allow: ['spiffe://*']}")
	c := New(World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{traffic("p", spec)}})
	values := c.For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}}).Values
	if len(values) != 2 {
		t.Errorf("values %+v", values)
	}
	for _, v := range values {
		if v.Approximated != nextConnection {
			t.Errorf("%s: %q", v.Field, v.Approximated)
		}
	}
}
