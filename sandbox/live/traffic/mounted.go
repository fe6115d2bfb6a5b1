package traffic

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// parts returns what the file says about the calls to a service. A file that cannot be read says nothing: its process keeps an earlier one.
func (f MountedFile) parts(service string) []part {
	p := &policyv1.EffectivePolicy{}
	locate, err := policy.Decode([]byte(f.Text), p)
	if err != nil {
		return nil
	}
	r := fileParts{file: f, locate: locate}
	if f.Service == service {
		r.server(p)
	}
	r.client(p, service)
	return r.all
}

type fileParts struct {
	file   MountedFile
	locate func([]policy.Problem) []policy.Problem
	all    []part
}

func (r *fileParts) server(p *policyv1.EffectivePolicy) {
	for i, rule := range p.GetServer() {
		at := fmt.Sprintf("server[%d].", i)
		r.rule(compile.Server, rule.GetMethod(), at, rule, map[string]string{"deadline": "serverDeadline"}, "method", "shadow", "percent")
	}
	for i, trial := range p.GetTrials() {
		r.rule(compile.Server, "", fmt.Sprintf("trials[%d].", i), trial, map[string]string{"rate": "maxRequestsPerSecond"}, "shadow", "percent")
	}
	r.rule(compile.Server, "", "", &policyv1.EffectivePolicy{Shed: p.GetShed(), Rate: p.GetRate(), Tuning: p.GetTuning()}, map[string]string{"rate": "maxRequestsPerSecond"})
}

func (r *fileParts) client(p *policyv1.EffectivePolicy, service string) {
	for i, rule := range p.GetClient() {
		if policy.Matches(rule.GetCallee(), service) {
			r.rule(compile.Client, rule.GetMethod(), fmt.Sprintf("client[%d].", i), rule, nil, "callee", "method", "shadow", "percent")
		}
	}
	for i, conn := range p.GetConnections() {
		if policy.Matches(conn.GetCallee(), service) {
			r.rule(compile.Client, "", fmt.Sprintf("connections[%d].", i), conn, map[string]string{"leastRequest": "loadBalancing"}, "callee")
		}
	}
}

// rule adds the parts of a rule, by the names that they have in a TrafficPolicy.
func (r *fileParts) rule(side compile.Side, method, at string, rule proto.Message, renamed map[string]string, without ...string) {
	fields := rule.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := fd.JSONName()
		if !rule.ProtoReflect().Has(fd) || slices.Contains(without, name) {
			continue
		}
		p := part{side: string(side), method: method, name: name, from: fileOf + r.file.Service}
		if to, ok := renamed[name]; ok {
			p.name = to
		}
		switch rule := rule.(type) {
		case *policyv1.ServerRule:
			p.apply(rule.GetShadow(), rule.Percent)
		case *policyv1.ClientRule:
			p.apply(rule.GetShadow(), rule.Percent)
		case *policyv1.Connection:
			p.apply(name == ejectionPart && rule.GetOutlierEjection().GetShadow(), nil)
		case *policyv1.Trial:
			p.apply(rule.GetShadow(), rule.Percent)
		}
		for _, leaf := range Leaves(rule) {
			if rest, ok := below(leaf.Field, name); ok {
				line := r.locate([]policy.Problem{{Field: at + leaf.Field}})[0].Line
				p.leaves = append(p.leaves, located{Leaf{p.name + rest, leaf.Value}, position(r.file.Name, line)})
			}
		}
		r.all = append(r.all, p)
	}
}
