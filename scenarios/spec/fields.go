package spec

import "github.com/grpc-sandbox/sandbox/scenarios/grammar"

// The fields of a scenario file, in the order of the documentation.
var (
	topFields = []grammar.Field{
		grammar.Required("apiVersion", "text", APIVersion, "the version of this grammar"),
		grammar.Required("kind", "text", FileKind, "what the file contains"),
		grammar.Required("metadata", "fields", "{name: my-scenario}", "name and description"),
		grammar.Required("spec", "fields", "{load: […], steps: […], expect: […]}", "what to do and what to expect"),
	}
	metadataFields = []grammar.Field{
		grammar.Required("name", "name", "my-scenario", "lower-case letters, digits and dashes"),
		grammar.Optional("description", "text", "Kill a pod. Callers must not notice.", "what it shows"),
	}
	specFields = []grammar.Field{
		grammar.Optional("seed", "whole number", "42", "the choice of targets and the arrivals of loads replay from it; default 1"),
		grammar.Required("load", "list of loads", "[{name: browse, …}]", "what calls the services, from before the steady state to the verdict"),
		grammar.Required("steady", "fields", "{for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}",
			"the baseline; nothing is broken unless it is met"),
		grammar.Required("steps", "list of steps", "[{name: kill one replica, killPod: {release: userservice}}]", "what is done, in order"),
		grammar.Optional("recover", "fields", "{within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}",
			"what must be true again, and how soon"),
		grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atLeast: 99.5%}}]",
			"what must be true from the load's start to its stop"),
		grammar.Optional("abort", "list of limits", "[{availability: {of: browse, below: 50%, for: 10s}}]", "what stops the run immediately"),
	}
)

var (
	loadFields = []grammar.Field{
		grammar.Required("name", "name", "browse", "the name that expectations use"),
		grammar.Required("from", "text", "loadgen", "who sends it: `loadgen`, or `partner/NAME`, a partner outside the cluster who calls through the gateway"),
		grammar.Required("call", "fields", "{service: userservice, method: user.v1.UserService/GetUser}", "the call that each arrival makes"),
		grammar.Required("rate", "rate", "100/s", "arrivals per second (/s) or per minute (/m); they do not wait for answers"),
	}
	callFields = []grammar.Field{
		grammar.Required("service", "text", "userservice", "the release that is called"),
		grammar.Required("method", "method", "user.v1.UserService/GetUser", "package.Service/Method"),
		grammar.Optional("request", "fields", `{userId: "u-{{ n 1 1000 }}"}`, "the request's fields; texts may contain templates"),
	}
	steadyFields = []grammar.Field{
		grammar.Required("for", "duration", "5s", "how long the baseline is measured"),
		grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atLeast: 99.9%}}]", "what must be true over that time"),
	}
	recoverFields = []grammar.Field{
		grammar.Required("within", "duration", "20s", "how long recovery may take"),
		grammar.Optional("hold", "duration", "2s", holdDoc),
		grammar.Required("expect", "list of expectations", "[{ready: {release: userservice, replicas: 3}}]",
			"what must be true again, all at the same time"),
	}
)

var stepFields = []grammar.Field{
	grammar.Required("name", "text", "kill one replica", "the name that the timeline and heal use"),
	grammar.Optional("after", "duration", "5s", "how long to wait first; default 0s"),
	grammar.Optional("waitFor", "one expectation and within", "{breaker: {from: loadgen, to: userservice, state: open}, within: 20s}",
		"after the action, wait until this is true; the action may be left out"),
	grammar.Optional("measure", "fields", "{for: 10s, expect: [{availability: {of: browse, atMost: 50%}}]}",
		"then, what must be true over a window of its own; the action may be left out"),
}

var measureFields = []grammar.Field{
	grammar.Required("for", "duration", "10s", "the length of the window, which starts when the action has had its effect"),
	grammar.Required("expect", "list of expectations", "[{availability: {of: browse, atMost: 50%}}]",
		"what must be true over that time; if it is not, the run goes on and fails in the end"),
}

var waitForFields = []grammar.Field{
	grammar.Required("within", "duration", "20s", "how long it may take to become true"),
	grammar.Optional("hold", "duration", "2s", holdDoc),
}

// holdDoc describes the field hold.
const holdDoc = "how long it must be true, in a window that starts after the last change; " +
	"default 2s, and 0s for a breaker, whose states can last milliseconds"
