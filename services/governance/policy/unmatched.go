package policy

import (
	"fmt"
	"slices"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// Known lists what the patterns of a policy can match: methods as package.Service/Method, and callees by the names with which they are dialed. Nil
// Callees are those of a process that can dial more at any time, so that their patterns are not looked for.
type Known struct{ Served, Called, Callees []string }

// unmatched returns the patterns that match nothing, each as "field: pattern".
func unmatched(p *policyv1.EffectivePolicy, known Known) (all []string) {
	look := func(field, text string, among []string) {
		if text != "" && !slices.ContainsFunc(among, func(name string) bool { return pattern.Matches(text, name) }) {
			all = append(all, field+": "+text)
		}
	}
	lookCallee := func(field, text string) {
		if known.Callees != nil {
			look(field, text, known.Callees)
		}
	}
	for i, r := range p.GetServer() {
		look(fmt.Sprintf("server[%d].method", i), r.GetMethod(), known.Served)
	}
	for i, r := range p.GetClient() {
		lookCallee(fmt.Sprintf("client[%d].callee", i), r.GetCallee())
		look(fmt.Sprintf("client[%d].method", i), r.GetMethod(), known.Called)
	}
	for i, f := range p.GetServerFaults() {
		look(fmt.Sprintf("serverFaults[%d].method", i), f.GetMethod(), known.Served)
	}
	for i, f := range p.GetClientFaults() {
		lookCallee(fmt.Sprintf("clientFaults[%d].callee", i), f.GetCallee())
		look(fmt.Sprintf("clientFaults[%d].method", i), f.GetMethod(), known.Called)
	}
	for i, c := range p.GetConnections() {
		lookCallee(fmt.Sprintf("connections[%d].callee", i), c.GetCallee())
	}
	return all
}
