package scenarios

import (
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

var (
	loadFields = []Field{
		{"name", "name", true, "browse", "what expectations call it"},
		{"from", "text", true, "loadgen", "the workload that sends it: `loadgen`, the only one"},
		{"call", "fields", true, "{service: userservice, method: user.v1.UserService/GetUser}", "what every arrival calls"},
		{"rate", "rate", true, "100/s", "arrivals a second (/s) or a minute (/m); they do not wait for answers"},
	}
	callFields = []Field{
		{"service", "text", true, "userservice", "the release that is called"},
		{"method", "method", true, "user.v1.UserService/GetUser", "package.Service/Method"},
		{"request", "fields", false, `{userId: "u-{{ n 1 1000 }}"}`, "the request's fields; texts may hold templates"},
	}
	steadyFields = []Field{
		{"for", "duration", true, "5s", "how long the baseline is measured"},
		{"expect", "list of expectations", true, "[{availability: {of: browse, atLeast: 99.9%}}]", "what must hold over it"},
	}
	recoverFields = []Field{
		{"within", "duration", true, "20s", "how long recovery may take"},
		{"hold", "duration", false, "2s", holdDoc},
		{"expect", "list of expectations", true, "[{ready: {release: userservice, replicas: 3}}]", "what must hold again, all at the same moment"},
	}
)

var methodForm = regexp.MustCompile(`^[A-Za-z_][\w.]*/[A-Za-z_]\w*$`)

func (f *reading) loads(items []node, seed uint64) []LoadSpec {
	var out []LoadSpec
	names := map[string]int{}
	for i, n := range items {
		o, ok := n.object(loadFields)
		if !ok {
			continue
		}
		l := LoadSpec{Name: o.name("name"), From: o.text("from"), Rate: o.rate("rate"), Seed: seed + uint64(i)}
		if l.From != "" && l.From != target.Generator {
			o.members["from"].problem("from: "+target.Generator, "want %s, the one workload that sends load, got %q", target.Generator, l.From)
		}
		unique(names, o, l.Name)
		if c, ok := o.members["call"]; ok {
			l.Call = call(c)
		}
		out = append(out, l)
	}
	return out
}

func call(n node) Call {
	o, ok := n.object(callFields)
	if !ok {
		return Call{}
	}
	c := Call{Service: o.text("service"), Method: o.text("method"), Request: "{}"}
	if c.Method != "" && !methodForm.MatchString(c.Method) {
		o.members["method"].problem("try: user.v1.UserService/GetUser", "want package.Service/Method, got %q", c.Method)
	}
	if r, ok := o.members["request"]; ok {
		c.Request = r.json()
	}
	return c
}

// json renders fields as JSON text; templates inside the texts stay as written.
func (n node) json() string {
	if n.yaml.Kind != yaml.MappingNode {
		n.problem(`try: {userId: "u-1"}`, "want fields, got %s", describe(n.yaml))
		return ""
	}
	return string(n.value())
}

// unique reports a name that an earlier entry has.
func unique(seen map[string]int, o object, name string) {
	if name == "" {
		return
	}
	if line, twice := seen[name]; twice {
		o.members["name"].problem("give each its own name", "%q is already the name of the one on line %d", name, line)
		return
	}
	seen[name] = o.members["name"].line
}
