package spec

import (
	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

func readLoads(items []grammar.Node, seed uint64) []target.LoadSpec {
	var out []target.LoadSpec
	names := map[string]int{}
	for i, n := range items {
		o, ok := n.Object(loadFields)
		if !ok {
			continue
		}
		l := target.LoadSpec{Name: o.Name("name"), From: o.Text("from"), Rate: o.Rate("rate"), Seed: seed + uint64(i)}
		if l.From != "" && l.From != target.Generator && l.Partner() == "" {
			o.ProblemAt("from", remedy.Value("from: "+target.Generator), "want %s, or %sNAME with a name of at most 36 lower-case letters, digits and hyphens, got %q", target.Generator, target.PartnerPrefix, l.From)
		}
		o.Unique(names, l.Name)
		if c, ok := o.Fields("call", callFields); ok {
			l.Call = readCall(c)
		}
		out = append(out, l)
	}
	return out
}

func readCall(o grammar.Object) target.Call {
	c := target.Call{Service: o.Text("service"), Method: o.Text("method"), Request: "{}"}
	if c.Method != "" && !grammar.IsMethod(c.Method) {
		o.ProblemAt("method", remedy.Value("user.v1.UserService/GetUser"), "want package.Service/Method, got %q", c.Method)
	}
	if r, ok := o.Member("request"); ok {
		c.Request = r.JSON()
	}
	return c
}
