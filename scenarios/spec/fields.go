package spec

import "github.com/grpc-sandbox/sandbox/scenarios/grammar"

// The fields of a scenario file, in the order of the documentation.
var (
	topFields = []grammar.Field{
		grammar.Required("apiVersion", "text", APIVersion, "the version of this grammar"),
		grammar.Required("kind", "text", FileKind, "what the file holds"),
		grammar.Required("metadata", "fields", "{name: my-scenario}", "name and description"),
		grammar.Required("spec", "fields", "{load: […], steps: […], expect: […]}", "what to do and what to expect"),
	}
	metadataFields = []grammar.Field{
		grammar.Required("name", "name", "my-scenario", "lower-case letters, digits and dashes"),
		grammar.Optional("description", "text", "Kill a pod. Callers must not notice.", "what it shows"),
	}
	specFields = []grammar.Field{
		grammar.Optional("seed", "whole number", "42", "target choice and load arrivals replay from it; 1 unless given"),
		grammar.Required("load", "list of loads", "[{name: browse, …}]", "what calls the services, from before the steady state to the verdict"),
		grammar.Required("steady", "fields", "{for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}", "the baseline: nothing is broken unless it holds"),
		grammar.Required("steps", "list of steps", "[{name: kill one replica, killPod: {release: userservice}}]", "what is done, in order"),
		grammar.Optional("recover", "fields", "{within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}", "what must hold again, and how soon"),
		grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atLeast: 99.5%}}]", "what must have held from the load's start to its stop"),
		grammar.Optional("abort", "list of limits", "[{availability: {of: browse, below: 50%, for: 10s}}]", "what stops the run at once"),
	}
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

var stepFields = []grammar.Field{
	grammar.Required("name", "text", "kill one replica", "what the timeline and heal call it"),
	grammar.Optional("after", "duration", "5s", "wait this long first; 0s unless given"),
	grammar.Optional("waitFor", "one expectation and within", "{breaker: {from: loadgen, to: userservice, state: open}, within: 20s}", "after the action, wait until this holds; a step may do only this"),
}

var waitForFields = []grammar.Field{
	grammar.Required("within", "duration", "20s", "how long it may take to come true"),
	grammar.Optional("hold", "duration", "2s", holdDoc),
}

// holdDoc describes the field hold.
const holdDoc = "the window, wholly after the last change, in which it must be true; 2s unless given, and 0s for a breaker, whose states can last milliseconds"
