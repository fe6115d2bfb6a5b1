package traffic

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/services/control/api"
	"github.com/grpc-sandbox/sandbox/services/control/controlv1"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

// fakeSources are what the values of a service are read from.
type fakeSources struct {
	values  []*controlv1.ExplainedValue
	objects []api.TrafficPolicy
	files   []MountedFile
}

func (f fakeSources) Explain(context.Context, string, string) ([]*controlv1.ExplainedValue, error) {
	return f.values, nil
}
func (f fakeSources) Policies(context.Context) ([]api.TrafficPolicy, error) { return f.objects, nil }
func (f fakeSources) MountedFiles(context.Context) ([]MountedFile, error)   { return f.files, nil }

func value(side, method, field string) *controlv1.ExplainedValue {
	return &controlv1.ExplainedValue{Side: side, Method: method, Field: field, Object: "TrafficPolicy shop/limit", Value: "as control prints it"}
}

// explained returns the values of a part, as SIDE METHOD FIELD=VALUE FROM AT.
func explained(t *testing.T, f fakeSources, method, part string) (all []string) {
	t.Helper()
	values, err := Explain(t.Context(), f, "userservice", method)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		if _, ok := below(v.Field, part); ok {
			all = append(all, strings.TrimSpace(v.Side+" "+v.Method+" "+v.Field+"="+v.Value+" "+v.From+" "+v.At))
		}
	}
	return all
}

func TestExplain_Sources(t *testing.T) {
	const get, all = "user.v1.UserService/GetUser", "user.v1.UserService/*"
	object := objectOf(t, "  maxRequestsPerSecond: 50\n  methods:\n  - {method: user.v1.UserService/*, deadline: {timeout: 800ms}}\n  - {method: user.v1.UserService/GetUser, deadline: {timeout: 700ms}}\n")
	pushed := fakeSources{objects: []api.TrafficPolicy{object},
		values: []*controlv1.ExplainedValue{value("server", "", "maxRequestsPerSecond"), value("client", all, "methods[0].deadline"), value("client", get, "methods[1].deadline")}}
	trial := fakeSources{objects: []api.TrafficPolicy{objectOf(t, "  shadow: true\n  percent: 5\n  maxRequestsPerSecond: 50\n  methods:\n  - {method: user.v1.UserService/*, deadline: {timeout: 800ms}}\n")},
		values: []*controlv1.ExplainedValue{value("server", "", "maxRequestsPerSecond"), value("client", all, "methods[0].deadline")}}
	tried := fakeSources{files: []MountedFile{{"userservice", "configmap/userservice-policy", "server:\n- bulkhead: {maxConcurrent: 4}\n- {shadow: true, bulkhead: {maxConcurrent: 2}}\n"}}}
	ejection := fakeSources{objects: []api.TrafficPolicy{objectOf(t, "  outlierEjection: {consecutiveFailures: 2, shadow: true}\n")},
		values: []*controlv1.ExplainedValue{value("client", "", "outlierEjection")},
		files:  []MountedFile{{"loadgen", "configmap/loadgen-policy", "connections:\n- {outlierEjection: {consecutiveFailures: 4, shadow: true}}\n"}}}
	mounted := fakeSources{files: []MountedFile{
		{"userservice", "configmap/userservice-policy", "server:\n- method: user.v1.UserService/GetUser\n  deadline: {none: true}\nrate: {limits: []}\nclient:\n- {callee: other, retry: {idempotent: true, maxAttempts: 3}}\n"},
		{"orderservice", "configmap/orderservice-policy", "client:\n- callee: user*\n  deadline: {timeout: 2s}\nserver: [{bulkhead: {maxConcurrent: 4}}]\n"},
		{"loadgen", "configmap/loadgen-policy", "client: [{callee: userservice, deadline: {timeout: 3s}}, {callee: userservice, deadline: {timeout: 4s}}]\n"},
		{"broken", "configmap/broken-policy", "nothing: 1\n"},
	}}
	both := pushed
	both.files = mounted.files
	for _, c := range []struct {
		sentence     string
		from         fakeSources
		method, part string
		want         []string
	}{
		{"a value of an object has the line of its file", pushed, "", "maxRequestsPerSecond", []string{"server  maxRequestsPerSecond=50 TrafficPolicy limit limit.yaml:6"}},
		{"in shadow mode, next to what applies", trial, "", "maxRequestsPerSecond", []string{"server  maxRequestsPerSecond=50 TrafficPolicy limit, for 5% of the calls, in shadow mode limit.yaml:8",
			"server  maxRequestsPerSecond=none default"}},
		{"of one method, in shadow mode", trial, get, "deadline.timeout", []string{"client  deadline.timeout=1s default",
			"client user.v1.UserService/* deadline.timeout=800ms TrafficPolicy limit, for 5% of the calls, in shadow mode limit.yaml:10"}},
		{"a rule of a file in shadow mode", tried, get, "bulkhead.maxConcurrent", []string{"server  bulkhead.maxConcurrent=4 file of userservice configmap/userservice-policy:2",
			"server  bulkhead.maxConcurrent=2 file of userservice, in shadow mode configmap/userservice-policy:3"}},
		{"an ejection in shadow mode, of a policy and of a file", ejection, "", "outlierEjection.consecutiveFailures", []string{
			"client  outlierEjection.consecutiveFailures=2 TrafficPolicy limit, in shadow mode limit.yaml:6",
			"client  outlierEjection.consecutiveFailures=4 file of loadgen, in shadow mode configmap/loadgen-policy:2",
			"client  outlierEjection.consecutiveFailures=5 default"}},
		{"nothing is set", fakeSources{}, "", "maxRequestsPerSecond", []string{"server  maxRequestsPerSecond=none default"}},
		{"every pattern has its value, and other methods the default", pushed, "", "deadline.timeout", []string{
			"client  deadline.timeout=1s default", "client user.v1.UserService/* deadline.timeout=800ms TrafficPolicy limit limit.yaml:8",
			"client user.v1.UserService/GetUser deadline.timeout=700ms TrafficPolicy limit limit.yaml:9"}},
		{"of one method, the last value", pushed, get, "deadline.timeout", []string{"client user.v1.UserService/GetUser deadline.timeout=700ms TrafficPolicy limit limit.yaml:9"}},
		{"a field that a part does not set has its default", pushed, get, "deadline.streamTimeout", []string{"client user.v1.UserService/GetUser deadline.streamTimeout=1h default"}},
		{"the files of callers", mounted, get, "deadline.timeout", []string{"client  deadline.timeout=2s file of orderservice configmap/orderservice-policy:3",
			"client  deadline.timeout=4s file of loadgen configmap/loadgen-policy:1", "client  deadline.timeout=1s default"}},
		{"an object applies rather than a file", both, get, "deadline.timeout", []string{"client user.v1.UserService/GetUser deadline.timeout=700ms TrafficPolicy limit limit.yaml:9"}},
		{"a value that is switched off has no default", mounted, get, "serverDeadline", []string{"server user.v1.UserService/GetUser serverDeadline.none=true file of userservice configmap/userservice-policy:3",
			"server user.v1.UserService/GetUser serverDeadline.streamTimeout=1h default", "server user.v1.UserService/GetUser serverDeadline.margin=10ms default"}},
		{"other methods keep it", mounted, "user.v1.UserService/Chat", "serverDeadline.timeout", []string{"server  serverDeadline.timeout=10s default"}},
		{"what another service enforces does not concern this one", mounted, "", "bulkhead", []string{"server  bulkhead=none default"}},
		{"what is called elsewhere does not concern this service", mounted, "", "retry", []string{"client  retry=none default"}},
		{"an object that another program has changed has no lines", fakeSources{values: pushed.values[:1], objects: changed(object)}, "", "maxRequestsPerSecond",
			[]string{"server  maxRequestsPerSecond=60 TrafficPolicy limit"}},
		{"an object that is gone", fakeSources{values: pushed.values[:1]}, "", "maxRequestsPerSecond", []string{"server  maxRequestsPerSecond=as control prints it TrafficPolicy limit"}},
	} {
		if diff := cmp.Diff(c.want, explained(t, c.from, c.method, c.part)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.sentence, diff)
		}
	}
}

func changed(o api.TrafficPolicy) []api.TrafficPolicy {
	o.Spec = []byte(strings.Replace(string(o.Spec), "50", "60", 1))
	return []api.TrafficPolicy{o}
}

// messages are those of the parts.
func messages() map[string]protoreflect.MessageDescriptor {
	all := map[string]protoreflect.MessageDescriptor{}
	for _, m := range []protoreflect.MessageDescriptor{(&policyv1.MethodPolicy{}).ProtoReflect().Descriptor(), (&policyv1.TrafficPolicySpec{}).ProtoReflect().Descriptor()} {
		for i := range m.Fields().Len() {
			all[m.Fields().Get(i).JSONName()] = m.Fields().Get(i).Message()
		}
	}
	return all
}

// comments returns the comments of the fields of a message in the protos.
func comments(t *testing.T, message string) map[string]string {
	t.Helper()
	found, comment := map[string]string{}, ""
	field := regexp.MustCompile(`^\s+(?:optional |repeated )?[\w.]+ (\w+) = \d+`)
	inside := false
	for _, name := range []string{"policy.proto", "traffic.proto"} {
		text, err := os.ReadFile("../../../services/proto/policy/v1/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			trimmed := strings.TrimSpace(line)
			switch m := field.FindStringSubmatch(line); {
			case strings.HasPrefix(line, "message "):
				inside = strings.HasPrefix(line, "message "+message+" {")
			case inside && strings.HasPrefix(trimmed, "//"):
				comment += " " + strings.TrimPrefix(trimmed, "//")
			case inside && m != nil:
				// Fields without a comment share that of the field above.
				if comment == "" {
					comment = found["last"]
				}
				found[m[1]], found["last"], comment = comment, comment, ""
			}
		}
	}
	return found
}

func TestDefaults_AreThoseOfTheComments(t *testing.T) {
	parts := messages()
	for _, d := range defaults {
		m, known := parts[d.part]
		switch {
		case d.part == faultPart:
			continue
		case !known:
			t.Errorf("%s is not a part of a TrafficPolicy", d.part)
			continue
		case d.field == "":
			continue
		}
		fd := m.Fields().ByJSONName(d.field)
		if fd == nil || d.unless != "" && m.Fields().ByJSONName(d.unless) == nil {
			t.Errorf("%s has no field %s or %s", m.FullName(), d.field, d.unless)
			continue
		}
		comment := comments(t, string(m.Name()))[string(fd.Name())]
		_, said, _ := strings.Cut(comment, ";")
		if !strings.Contains(said, strings.Trim(d.text, "[]")) {
			t.Errorf("%s.%s: the comment does not mention the default %s:%s", d.part, d.field, d.text, comment)
		}
	}
	for name := range parts {
		if name == "method" || name == "methods" || name == "selector" || name == "shadow" || name == "percent" {
			continue
		}
		if !slices.ContainsFunc(defaults, func(d defaultValue) bool { return d.part == name }) {
			t.Errorf("%s has no default, so that its values have no place in the list", name)
		}
	}
}
