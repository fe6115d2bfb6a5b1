package xds

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/governance/policy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// world is a namespace with a caller and three pods of the service users, of which one is not ready.
func world() compile.World {
	pod := func(name, service string, ready bool, ip string) compile.Pod {
		return compile.Pod{Namespace: "shop", Name: name, Account: service, Labels: map[string]string{compile.ServiceLabel: service}, Ready: ready,
			Created: time.Unix(1, 0), IP: ip, Port: 8443}
	}
	return compile.World{Now: time.Unix(10, 0), Pods: []compile.Pod{
		pod("caller-1", "caller", true, "10.0.0.9"), pod("users-1", "users", true, "10.0.0.1"), pod("users-2", "users", true, "10.0.0.2"), pod("users-3", "users", false, "10.0.0.3"),
	}}
}

func withPolicy(t *testing.T, w compile.World, name, text string) compile.World {
	t.Helper()
	spec := &policyv1.TrafficPolicySpec{}
	decode(t, "selector: {matchLabels: {app.kubernetes.io/name: users}}\n"+text, spec)
	w.Policies = append(w.Policies, compile.TrafficPolicy{Object: compile.Object{Kind: compile.KindTrafficPolicy, Namespace: "shop", Name: name, UID: name, Created: time.Unix(1, 0)}, Spec: spec})
	return w
}

func withFault(t *testing.T, w compile.World, name, service, text string) compile.World {
	t.Helper()
	spec := &policyv1.FaultSpec{}
	decode(t, "selector: {matchLabels: {app.kubernetes.io/name: "+service+"}}\nduration: 1h\n"+text, spec)
	w.Faults = append(w.Faults, compile.Fault{Object: compile.Object{Kind: compile.KindFault, Namespace: "shop", Name: name, UID: name, Created: time.Unix(1, 0)}, Spec: spec})
	return w
}

func decode(t *testing.T, text string, into proto.Message) {
	t.Helper()
	if _, err := policy.Decode([]byte(text), into); err != nil {
		t.Fatal(err)
	}
	if problems := policy.Check(into); len(problems) > 0 {
		t.Fatal(problems)
	}
}

// inputOf returns the input for the first pod of a service, as the server of the control plane makes it.
func inputOf(w compile.World, kind Kind, service, domain string) Input {
	c := compile.New(w)
	in := Input{Kind: kind, TrustDomain: domain, Listeners: []string{"users", "users.shop", "users.elsewhere"}}
	for _, p := range w.Pods {
		if p.Service() == service && (in.Pod.Name == "" || p.Name < in.Pod.Name) {
			in.Pod = p
		}
	}
	in.Policy = c.For(compile.Process{Pod: in.Pod, Callees: []string{"users"}}).Policy
	in.Services = []compile.Service{c.Service("shop", "users")}
	return in
}

// full is a policy with all parts of the calling side, and of the receiving side.
const full = `maxRequestsPerSecond: 50
methods:
- {method: "", deadline: {timeout: 1s}, breaker: {maxConcurrent: 20, failureRatio: 0.5, minCalls: 25, window: 10s}, bulkhead: {maxConcurrent: 30}, serverDeadline: {timeout: 5s}}
- {method: user.v1.UserService/Get*, retry: {idempotent: true, maxAttempts: 3, codes: [UNAVAILABLE, RESOURCE_EXHAUSTED, ABORTED], perTryTimeout: 200ms}, callers: {allow: ["spiffe://sandbox.local/ns/shop/sa/*"]}}
- {method: user.v1.UserService/GetUser, deadline: {none: true}, breaker: {maxConcurrent: 5}, rate: {limits: [{limit: {tokenBucket: {rate: 7, burst: 3}}}]}}
- {method: user.v1.UserService/*, hedge: {idempotent: true, delay: 50ms}, throttle: {failureRatio: 0.4}, classify: {failures: [NOT_FOUND]}, rate: {limits: [{scope: RATE_SCOPE_POD, limit: {leakyBucket: {rate: 100, queue: 5}}}, {limit: {perCaller: true, tokenBucket: {rate: 1}}}]}}
loadBalancing: {algorithm: ALGORITHM_LEAST_REQUEST}
outlierEjection: {failureRatio: 0.5, consecutiveFailures: 7, maxEjectionTime: 10s}
slowStart: {window: 30s}
retryBudget: {maxTokens: 20, tokenRatio: 0.2}
tuning: {streamWindowBytes: 131072, connectionWindowBytes: 262144, keepaliveTime: 20s}
`

func fullWorld(t *testing.T) compile.World {
	w := withPolicy(t, world(), "full", full)
	for service, side := range map[string]string{"caller": "FAULT_SIDE_CLIENT", "users": "FAULT_SIDE_SERVER"} {
		w = withFault(t, w, service+"-slow", service, "side: "+side+"\npercent: 12.5\ndelay: {fixed: 100ms, jitter: 50ms}")
		w = withFault(t, w, service+"-some", service, "side: "+side+"\nmethod: user.v1.UserService/GetUser\nmetadata: {x-who: tester}\nabort: {code: UNAVAILABLE}")
	}
	slices.SortFunc(w.Faults, func(a, b compile.Fault) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return w
}

func TestBuild_Golden(t *testing.T) {
	for name, in := range map[string]Input{
		"grpc":           inputOf(fullWorld(t), GRPC, "caller", "sandbox.local"),
		"grpc-plain":     inputOf(world(), GRPC, "caller", ""),
		"envoy-caller":   inputOf(fullWorld(t), Envoy, "caller", "sandbox.local"),
		"envoy-receiver": inputOf(fullWorld(t), Envoy, "users", "sandbox.local"),
	} {
		t.Run(name, func(t *testing.T) {
			got := textOf(t, Build(in))
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s differs (%v); run `task golden` and review the diff\n%s", file, err, got)
			}
		})
	}
}

// textOf returns resources as YAML, in the order of their types.
func textOf(t *testing.T, r Resources) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, kind := range Types {
		for _, name := range sortedNames(r[kind]) {
			text, err := protojson.Marshal(r[kind][name])
			if err != nil {
				t.Fatal(err)
			}
			var value any
			if err := json.Unmarshal(text, &value); err != nil {
				t.Fatal(err)
			}
			if text, err = yaml.Marshal(value); err != nil {
				t.Fatal(err)
			}
			out.WriteString("---\n# " + kind[len("type.googleapis.com/"):] + " " + name + "\n")
			out.Write(text)
		}
	}
	return out.Bytes()
}

func sortedNames(m map[string]proto.Message) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestBuild_IsDeterministic(t *testing.T) {
	for _, kind := range []Kind{GRPC, Envoy} {
		want := Build(inputOf(fullWorld(t), kind, "users", "sandbox.local"))
		for range 20 {
			w := fullWorld(t)
			rand.Shuffle(len(w.Pods), func(i, j int) { w.Pods[i], w.Pods[j] = w.Pods[j], w.Pods[i] })
			rand.Shuffle(len(w.Faults), func(i, j int) { w.Faults[i], w.Faults[j] = w.Faults[j], w.Faults[i] })
			got := Build(inputOf(w, kind, "users", "sandbox.local"))
			for _, of := range Types {
				if Version(got[of]) != Version(want[of]) {
					t.Fatalf("%s: %s differs between two runs", kind, of)
				}
			}
		}
	}
}

func TestVersion_FollowsContent(t *testing.T) {
	versions := map[string]string{}
	for name, w := range map[string]compile.World{"no policy": world(), "a time-out": withPolicy(t, world(), "p", "methods: [{deadline: {timeout: 1s}}]"),
		"another": withPolicy(t, world(), "p", "methods: [{deadline: {timeout: 2s}}]")} {
		v := Version(Build(inputOf(w, GRPC, "caller", ""))[RouteType])
		if other, same := versions[v]; same {
			t.Errorf("%q and %q have the same version", name, other)
		}
		versions[v] = name
	}
}
