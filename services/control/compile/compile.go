package compile

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Compiled is what one process must enforce.
type Compiled struct {
	// Policy must not be changed: processes share the rules in it.
	Policy *policyv1.EffectivePolicy
	// Values are the fields of objects that are in Policy, those that apply last.
	Values []Value
}

// Value is a field of an object that a process enforces.
type Value struct {
	// Object is the object that has the field.
	Object Object
	// Field is its path in the specification, such as methods[0].deadline.
	Field string
	// Method is the pattern of methods to which it applies; empty for every method.
	Method string
	// Side is where the field is enforced.
	Side Side
	// Callee is the called service of a value on the client side.
	Callee string
	// LostTo is the object whose value applies instead; nil if this value applies.
	LostTo *Object
	// Approximated says how the process deviates from the object; empty if it does not.
	Approximated string
	// Ignored says why the process does not enforce it at all; empty if it does. It is about processes with governance only.
	Ignored string
	// Shadow means that the process only counts what the value would have refused.
	Shadow bool
	// Percent is the share of the calls to which the value applies; nil means every call.
	Percent *float64
	// Text is the value as it is written in an object, in one line.
	Text string
	// Part is the value of a field that is a message; nil for other fields.
	Part proto.Message
}

// Process is a pod that receives configuration.
type Process struct {
	Pod
	// Callees are the services that the process calls; nil means that it may call every service of its namespace.
	Callees []string
	// Served are the methods that the process serves, as package.Service/Method; nil means that it did not say.
	Served []string
}

// Compiler compiles one World. It is not safe for concurrent use.
type Compiler struct {
	world World
	// policies has the policies by one label of their selectors, so that those of a pod are found without a look at all of them.
	policies map[label][]*TrafficPolicy
	// pods are those of each namespace, and services those of each service in it, from the oldest.
	pods     map[string][]Pod
	services map[string]map[string][]Pod
	faults   map[string][]Fault
	// clients has what was compiled for the callers of a service, by namespace/service. It is the same for all of them.
	clients map[string]Compiled
	// ready has the number of ready pods of a service that a policy selects.
	ready map[selection]int
}

// label is a label of a selector or a pod.
type label struct{ namespace, key, value string }

// selection is a policy and a service.
type selection struct {
	policy  *TrafficPolicy
	service string
}

// New prepares the compilation of a world.
func New(w World) *Compiler {
	c := &Compiler{world: w, policies: map[label][]*TrafficPolicy{}, pods: map[string][]Pod{}, services: map[string]map[string][]Pod{},
		faults: map[string][]Fault{}, clients: map[string]Compiled{}, ready: map[selection]int{}}
	for i := range w.Policies {
		p := &w.Policies[i]
		if labels := p.Spec.GetSelector().GetMatchLabels(); len(labels) > 0 {
			key := slices.Min(slices.Collect(maps.Keys(labels)))
			at := label{p.Namespace, key, labels[key]}
			c.policies[at] = append(c.policies[at], p)
		}
	}
	for _, p := range w.Pods {
		c.pods[p.Namespace] = append(c.pods[p.Namespace], p)
	}
	for namespace, all := range c.pods {
		byAge(all)
		c.services[namespace] = map[string][]Pod{}
		for _, p := range all {
			c.services[namespace][p.Service()] = append(c.services[namespace][p.Service()], p)
		}
	}
	for _, f := range w.Faults {
		if !f.Over(w.Now) {
			c.faults[f.Namespace] = append(c.faults[f.Namespace], f)
		}
	}
	return c
}

// Has reports whether the world has this generation of a policy.
func (c *Compiler) Has(policy Object) bool {
	for i := range c.world.Policies {
		if p := &c.world.Policies[i]; p.UID == policy.UID {
			return p.Generation == policy.Generation
		}
	}
	return false
}

// selecting returns the policies that select a pod, in an order that depends on nothing else.
func (c *Compiler) selecting(pod Pod) (selected []*TrafficPolicy) {
	for _, key := range slices.Sorted(maps.Keys(pod.Labels)) {
		for _, p := range c.policies[label{pod.Namespace, key, pod.Labels[key]}] {
			if pod.Selected(p.Object, p.Spec.GetSelector()) {
				selected = append(selected, p)
			}
		}
	}
	return selected
}

// For returns what a process must enforce. Its pod need not be in the world: one that the world does not have yet gets what its labels select.
func (c *Compiler) For(process Process) Compiled {
	out := Compiled{Policy: &policyv1.EffectivePolicy{}}
	c.server(process.Pod, &out)
	callees := process.Callees
	if callees == nil {
		callees = slices.Collect(maps.Keys(c.services[process.Namespace]))
	}
	for _, callee := range slices.Compact(slices.Sorted(slices.Values(callees))) {
		part := c.client(process.Namespace, callee)
		out.Policy.Client = append(out.Policy.Client, part.Policy.GetClient()...)
		out.Policy.Connections = append(out.Policy.Connections, part.Policy.GetConnections()...)
		out.Values = append(out.Values, part.Values...)
	}
	c.inject(process.Pod, &out)
	out.Policy.Version = version(out.Policy)
	return out
}

// server adds what concerns the calls that the pod receives.
func (c *Compiler) server(pod Pod, out *Compiled) {
	selected := c.selecting(pod)
	for _, r := range rulesOf(selected) {
		if parts := partsOf(r.method, Server); len(parts) > 0 {
			out.Policy.Server = append(out.Policy.Server, serverRule(r, c.sharing(r.policy, pod)))
			out.add(r, Server, "", "", r.method, parts)
		}
	}
	for _, r := range wholes(selected) {
		s := r.policy.Spec
		c.limitAll(r.policy, pod, out.Policy)
		if s.GetTuning() != nil {
			out.Policy.Tuning = s.GetTuning()
		}
		out.add(r, Server, "", "", s, partsOf(s, Server))
	}
}

const (
	// readAtStart is why pushed tuning has no effect.
	readAtStart = "a process reads it before it receives a policy: only its policy file sets it"
	// nextConnection says when a health check or a check of identities is in force.
	nextConnection = "in force with the next connection to each replica"
)

// sharing returns the number of pods among which the limits of a policy are divided: those of the same service that are ready, and this one.
func (c *Compiler) sharing(p *TrafficPolicy, pod Pod) int {
	at := selection{p, pod.Service()}
	n, known := c.ready[at]
	if !known {
		for _, other := range c.services[pod.Namespace][pod.Service()] {
			if other.Ready && other.Selected(p.Object, p.Spec.GetSelector()) {
				n++
			}
		}
		c.ready[at] = n
	}
	for _, other := range c.services[pod.Namespace][pod.Service()] {
		if other.Name == pod.Name && other.Ready {
			return n
		}
	}
	return n + 1
}

// somePods says that a policy selects only some pods of a service.
const somePods = "applies to the calls to every pod of the service, because callers do not choose among them by label"

// client returns what concerns the calls to a service.
func (c *Compiler) client(namespace, callee string) Compiled {
	if done, ok := c.clients[namespace+"/"+callee]; ok {
		return done
	}
	out := Compiled{Policy: &policyv1.EffectivePolicy{}}
	c.compileClient(namespace, callee, &out)
	c.clients[namespace+"/"+callee] = out
	return out
}

func (c *Compiler) compileClient(namespace, callee string, out *Compiled) {
	pods := c.services[namespace][callee]
	matching := map[*TrafficPolicy]int{}
	var selected []*TrafficPolicy
	for _, pod := range pods {
		for _, p := range c.selecting(pod) {
			if matching[p]++; matching[p] == 1 {
				selected = append(selected, p)
			}
		}
	}
	partly := map[*TrafficPolicy]string{}
	for _, p := range selected {
		if matching[p] < len(pods) {
			partly[p] = somePods
		}
	}
	for _, r := range rulesOf(selected) {
		if parts := partsOf(r.method, Client); len(parts) > 0 {
			out.Policy.Client = append(out.Policy.Client, clientRule(r, callee))
			out.add(r, Client, callee, partly[r.policy], r.method, parts)
		}
	}
	for _, r := range wholes(selected) {
		parts := partsOf(r.policy.Spec, Client)
		if len(parts) == 0 {
			continue
		}
		s := r.policy.Spec
		conn := &policyv1.Connection{Callee: callee, RetryBudget: s.GetRetryBudget(), OutlierEjection: ejection(s), HealthCheck: s.GetHealthCheck(), Tuning: s.GetTuning(),
			SlowStart: s.GetSlowStart(), ServerIdentity: s.GetServerIdentity()}
		if s.GetLoadBalancing() != nil {
			conn.LeastRequest = proto.Bool(s.GetLoadBalancing().GetAlgorithm() == policyv1.LoadBalancing_ALGORITHM_LEAST_REQUEST)
		}
		out.Policy.Connections = append(out.Policy.Connections, conn)
		out.add(r, Client, callee, partly[r.policy], s, parts)
	}
}

// add records the values of a rule. A value that was added before and that the new one replaces has lost.
func (out *Compiled) add(r rule, side Side, callee, approximated string, in proto.Message, parts []protoreflect.FieldDescriptor) {
	for _, part := range parts {
		v := Value{Object: r.policy.Object, Field: part.JSONName(), Method: r.pattern(), Side: side, Callee: callee, Approximated: approximated,
			Shadow: inShadow(r.policy.Spec, part), Percent: r.policy.Spec.Percent, Text: policy.Text(part, in.ProtoReflect().Get(part))}
		switch name := part.JSONName(); {
		case shareOf(v.Percent) == 0:
			v.approximate(noCall)
		case side == Client && name == "retry" && shareOf(v.Percent) < 100:
			v.approximate(unaryOnly)
		case name == "tuning":
			v.Ignored = readAtStart
		case name == "healthCheck", name == "serverIdentity":
			v.approximate(nextConnection)
		}
		if part.Message() != nil {
			v.Part = in.ProtoReflect().Get(part).Message().Interface()
		}
		if r.at != "" {
			v.Field = r.at + "." + v.Field
		}
		for i := range out.Values {
			old := &out.Values[i]
			if old.Side != side || old.Callee != callee {
				continue
			}
			if lastName(old.Field) == part.JSONName() && old.LostTo == nil && v.replaces(*old) {
				old.LostTo = &v.Object
			}
			v.displaceAttempts(old)
		}
		out.Values = append(out.Values, v)
	}
}

func lastName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '.' {
			return path[i+1:]
		}
	}
	return path
}

// version returns a name of the content. Equal policies have equal versions, in every replica of the control plane; the empty policy has none.
func version(p *policyv1.EffectivePolicy) string {
	p.Version = ""
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(p)
	if err != nil || len(text) == 0 {
		// Marshal fails only for text that is not UTF-8, which no reader of objects accepts.
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:5])
}
