package scenarios

import (
	"regexp"

	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

var (
	loadFields = []grammar.Field{
		grammar.Required("name", "name", "browse", "what expectations call it"),
		grammar.Required("from", "text", "loadgen", "the workload that sends it: `loadgen`, the only one"),
		grammar.Required("call", "fields", "{service: userservice, method: user.v1.UserService/GetUser}", "what every arrival calls"),
		grammar.Required("rate", "rate", "100/s", "arrivals a second (/s) or a minute (/m); they do not wait for answers"),
	}
	callFields = []grammar.Field{
		grammar.Required("service", "text", "userservice", "the release that is called"),
		grammar.Required("method", "method", "user.v1.UserService/GetUser", "package.Service/Method"),
		grammar.Optional("request", "fields", `{userId: "u-{{ n 1 1000 }}"}`, "the request's fields; texts may hold templates"),
	}
	steadyFields = []grammar.Field{
		grammar.Required("for", "duration", "5s", "how long the baseline is measured"),
		grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atLeast: 99.9%}}]", "what must hold over it"),
	}
	recoverFields = []grammar.Field{
		grammar.Required("within", "duration", "20s", "how long recovery may take"),
		grammar.Optional("hold", "duration", "2s", holdDoc),
		grammar.Required("expect", "list of expectations", "[{ready: {release: userservice, replicas: 3}}]", "what must hold again, all at the same moment"),
	}
)

var methodForm = regexp.MustCompile(`^[A-Za-z_][\w.]*/[A-Za-z_]\w*$`)

func readLoads(items []grammar.Node, seed uint64) []LoadSpec {
	var out []LoadSpec
	names := map[string]int{}
	for i, n := range items {
		o, ok := n.Object(loadFields)
		if !ok {
			continue
		}
		l := LoadSpec{Name: o.Name("name"), From: o.Text("from"), Rate: o.Rate("rate"), Seed: seed + uint64(i)}
		if l.From != "" && l.From != target.Generator {
			o.ProblemAt("from", "from: "+target.Generator, "want %s, the one workload that sends load, got %q", target.Generator, l.From)
		}
		o.Unique(names, l.Name)
		if c, ok := o.Fields("call", callFields); ok {
			l.Call = readCall(c)
		}
		out = append(out, l)
	}
	return out
}

func readCall(o grammar.Object) Call {
	c := Call{Service: o.Text("service"), Method: o.Text("method"), Request: "{}"}
	if c.Method != "" && !methodForm.MatchString(c.Method) {
		o.ProblemAt("method", "try: user.v1.UserService/GetUser", "want package.Service/Method, got %q", c.Method)
	}
	if r, ok := o.Member("request"); ok {
		c.Request = r.JSON()
	}
	return c
}
