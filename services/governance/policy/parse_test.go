package policy

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
	"github.com/grpc-sandbox/sandbox/services/governance/policyv1"
)

func parsed(t testing.TB, text string) *policyv1.EffectivePolicy {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParse_AllFields(t *testing.T) {
	text, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := parsed(t, string(text))
	r := compile(p, "").Server("user.v1.UserService/GetUser")
	if r.Timeout != 2*time.Second || r.Margin != 20*time.Millisecond || r.MaxConcurrent != 50 || len(r.Limits) != 2 ||
		r.Priority != policyv1.Priority_PRIORITY_HIGH || len(r.callers) != 2 || len(r.Faults) != 1 {
		t.Errorf("server rule: %+v", r)
	}
	c := compile(p, "").Client("userservice", "user.v1.UserService/GetUser")
	if c.Timeout != 300*time.Millisecond || c.Breaker.GetFailureRatio() != 0.5 || c.Retry.GetMaxAttempts() != 3 || len(c.Faults) != 3 {
		t.Errorf("client rule: %+v", c)
	}
	// JSON, which a control plane would send, has the same result.
	again, err := protojson.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if back := parsed(t, string(again)); !proto.Equal(back, p) {
		t.Errorf("JSON: got %v", back)
	}
}

func TestParse_LineAndField(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an unknown field", "client:\n- breaker:\n    failureRato: 0.5\n",
			"line 3: client[0].breaker.failureRato: is unknown; try: disabled, failureRatio, minCalls, window, open, probes, maxConcurrent"},
		{"an unknown section", "servers: []", "line 1: servers: is unknown; try: version,"},
		{"a value of the wrong type", "client:\n- breaker: {minCalls: many}\n", `line 2: client[0].breaker.minCalls: "many" is not a whole number from 0`},
		{"a number that does not fit", "client:\n- breaker: {minCalls: 4294967296}\n", "line 2: client[0].breaker.minCalls"},
		{"a duration without a unit", "client:\n- deadline:\n    timeout: 5\n", `line 3: client[0].deadline.timeout: "5" is not a duration; try: 5s`},
		{"a negative duration", "client:\n- deadline:\n    timeout: -5s\n", "line 3: client[0].deadline.timeout: must be from 1ms to 8760h"},
		{"a ratio above 1", "client:\n- breaker:\n    open: 1s\n    failureRatio: 25\n", "line 4: client[0].breaker.failureRatio: must be above 0"},
		{"not a number", "client: [{breaker: {failureRatio: .nan}}]", `line 1: client[0].breaker.failureRatio: ".nan" is not a number`},
		{"NaN", "client: [{breaker: {failureRatio: NaN}}]", "line 1: client[0].breaker.failureRatio: must be above 0"},
		{"a broken pattern", "server:\n- method: 'user.v1.UserService/[a'\n", `line 2: server[0].method: "user.v1.UserService/[a" is not a pattern`},
		{"a pattern that no method can match", "server:\n- method: GetUser\n", `line 2: server[0].method: "GetUser" can match no method`},
		{"retries of a method that is not idempotent", "client:\n- retry:\n    maxAttempts: 3\n", "line 2: client[0].retry.idempotent: must be true"},
		{"retries of an unsafe code", "client:\n- retry:\n    idempotent: true\n    maxAttempts: 3\n    codes: [UNAVAILABLE, INTERNAL]\n",
			`line 5: client[0].retry.codes[1]: "INTERNAL" is not`},
		{"more attempts than gRPC makes", "client: [{retry: {idempotent: true, maxAttempts: 6}}]", "client[0].retry.maxAttempts: must be from 1 to 5"},
		{"a limit without an algorithm", "server:\n- rate:\n    limits:\n    - perCaller: true\n", "line 4: server[0].rate.limits[0]: has neither"},
		{"a limit with two algorithms", "server:\n- rate:\n    limits:\n    - tokenBucket: {rate: 1}\n      leakyBucket: {rate: 1}\n",
			"line 5: server[0].rate.limits[0].leakyBucket: cannot be together with tokenBucket"},
		{"a rate of 0", "server:\n- rate: {limits: [{tokenBucket: {}}]}\n", "line 2: server[0].rate.limits[0].tokenBucket.rate: must be"},
		{"an unknown priority", "server: [{priority: urgent}]", `line 1: server[0].priority: "urgent" is unknown; try: low, normal, high, critical`},
		{"an unknown priority of callers", "server: [{callerPriority: {max: urgent}}]", `line 1: server[0].callerPriority.max: "urgent" is unknown`},
		{"a choice of callers that is switched off", "server: [{callerPriority: {max: high, disabled: true}}]",
			"line 1: server[0].callerPriority.disabled: cannot be together with max"},
		{"a callee in a server fault", "serverFaults:\n- callee: a\n  hang: {}\n", "line 2: serverFaults[0].callee: must be empty"},
		{"a fault without a kind", "serverFaults:\n- name: x\n", "line 2: serverFaults[0]: has none of"},
		{"a fault with an invalid code", "clientFaults:\n- abort: {code: OK}\n", `line 2: clientFaults[0].abort.code: "OK" is not`},
		{"an empty identity", "server: [{callers: {allow: ['']}}]", "line 1: server[0].callers.allow[0]: is empty"},
		{"a repeated field", "version: a\nversion: b\n", "line 2"},
		{"a text instead of a group", "client:\n- breaker: open\n", "line 2: client[0].breaker: must be a group of fields"},
		{"a group instead of a list", "client: {}", "line 1: client: must be a list"},
		{"no group", "hello", "line 1: file: must be a group of fields"},
		{"broken YAML", "client:\n\t- x", "line 2: file:"},
		{"two documents", "version: a\n---\nversion: b\n", "file: has more than one document"},
		{"aliases", "server: &x [{method: '*/*'}]\nclient: *x\n", "line 2: client: is an alias"},
		{"limits that contradict each other", "shed: {minLimit: 300}", "line 1: shed: needs minLimit <= initialLimit <= maxLimit; their defaults are 1, 50 and 200"},
		{"a window that gRPC ignores", "tuning: {streamWindowBytes: 1000}", "line 1: tuning.streamWindowBytes: must be from 65536"},
		{"too much", strings.Repeat("#", maxBytes+1), "file: has 1048577 bytes"},
		{"several mistakes", "client:\n- breaker: {failureRatio: 2}\n- breaker: {failureRatio: 3}\n", "line 3: client[1].breaker.failureRatio"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text))
			var broken *Error
			if !errors.As(err, &broken) || !strings.Contains(remedy.Line(err, nil), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestParse_EmptyFile(t *testing.T) {
	for _, text := range []string{"", "# nothing yet\n", "{}", "---\n"} {
		if p := parsed(t, text); !proto.Equal(p, &policyv1.EffectivePolicy{}) {
			t.Errorf("%q: got %v", text, p)
		}
	}
}

// The reader supports these kinds of fields. A new kind in the proto needs a case there.
func TestParse_EveryKindOfField(t *testing.T) {
	seen := map[protoreflect.FullName]bool{}
	var look func(d protoreflect.MessageDescriptor)
	look = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			fd := d.Fields().Get(i)
			switch {
			case fd.IsMap():
				if fd.MapKey().Kind() != protoreflect.StringKind || fd.MapValue().Kind() != protoreflect.StringKind {
					t.Error(fd.FullName(), "is a map of other things than text")
				}
			case isDuration(fd):
			case fd.Message() != nil:
				look(fd.Message())
			default:
				switch fd.Kind() {
				case protoreflect.BoolKind, protoreflect.Uint32Kind, protoreflect.DoubleKind, protoreflect.EnumKind, protoreflect.StringKind:
				default:
					t.Error(fd.FullName(), "is of kind", fd.Kind())
				}
			}
		}
	}
	for _, p := range []proto.Message{&policyv1.EffectivePolicy{}, &policyv1.TrafficPolicySpec{}, &policyv1.FaultSpec{}} {
		look(p.ProtoReflect().Descriptor())
	}
}

// Custom resources have the same text form as a file.
func TestDecode_OtherMessages(t *testing.T) {
	spec := &policyv1.TrafficPolicySpec{}
	text := "selector: {matchLabels: {app: users}}\nmethods:\n- rate: {limits: [{scope: pod, limit: {tokenBucket: {rate: 5}}}]}\n  deadline: {timeout: 250ms}\n"
	if _, err := Decode([]byte(text), spec); err != nil || Check(spec) != nil || spec.GetMethods()[0].GetRate().GetLimits()[0].GetScope() != policyv1.RateScope_RATE_SCOPE_POD {
		t.Errorf("%v, %v", spec, err)
	}
	for text, want := range map[string]string{
		"selector: {matchLabels: {a: b}}\nhang: {}":                                "line 1: duration: is missing: a fault without leaseSeconds must end by itself",
		"selector: {matchLabels: {a: b}}\nhang: {}\nduration: 2h":                  "line 3: duration: must be from 1ms to 1h",
		"hang: {}\nduration: 1m":                                                   "line 1: selector: is missing",
		"selector: {matchLabels: {a: b}}\ncallee: x\nhang: {}\nduration: 1m":       "line 2: callee: must be empty",
		"selector: {matchLabels: {a: b}}\nhang: {}\nleaseSeconds: 4":               "line 3: leaseSeconds: must be from 5 to 60",
		"selector: {matchLabels: {}}\nhang: {}\nduration: 1m":                      "line 1: selector.matchLabels: is empty",
		"selector: {matchLabels: {a: b}}\nduration: 1m\nmetadata:\n  '': a\nhang:": "line 4: metadata.: is empty",
	} {
		spec := &policyv1.FaultSpec{}
		locate, err := Decode([]byte(text), spec)
		if err != nil {
			t.Error(text, err)
			continue
		}
		if got := fmt.Sprint(locate(Check(spec))); !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestCompile_LastRuleWins(t *testing.T) {
	p := compile(parsed(t, `
client:
- method: "*/*"
  deadline: {timeout: 1s}
  breaker: {minCalls: 7}
- callee: user*
  method: user.v1.UserService/*
  deadline: {timeout: 2s}
- callee: userservice
  method: user.v1.UserService/Get?ser
  retry: {idempotent: true, maxAttempts: 3}
- callee: userservice
  method: user.v1.UserService/Chat
  retry: {maxAttempts: 1}
`), "")
	for _, c := range []struct {
		callee, method string
		timeout        time.Duration
		retries        bool
	}{
		{"userservice", "user.v1.UserService/GetUser", 2 * time.Second, true},
		{"userservice", "user.v1.UserService/Chat", 2 * time.Second, false},
		{"orders", "user.v1.UserService/GetUser", time.Second, false},
		{"orders", "order.v1.OrderService/CreateOrder", time.Second, false},
	} {
		r := p.Client(c.callee, c.method)
		if r.Timeout != c.timeout || (r.Retry != nil) != c.retries || r.Breaker.GetMinCalls() != 7 {
			t.Errorf("%s %s: %+v", c.callee, c.method, r)
		}
	}
}

func FuzzParse_RoundTrip(f *testing.F) {
	text, err := os.ReadFile("testdata/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, seed := range []string{"", "{}", "client: [{breaker: {failureRatio: 0.5}}]", "a: &a [*a]", "server:\n- rate: {limits: [{leakyBucket: {rate: 1e-9}}]}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse(text)
		if err != nil {
			var broken *Error
			if !errors.As(err, &broken) || len(broken.Problems) == 0 {
				t.Fatalf("an error without a problem: %v", err)
			}
			return
		}
		// An accepted policy can be enforced, and written and read again.
		c := compile(p, "")
		_ = fmt.Sprint(c.Server("a.B/C"), c.Client("x", "a.B/C"))
		again, err := protojson.Marshal(p)
		if err != nil {
			t.Skip("text that is no UTF-8 cannot be JSON")
		}
		if back, err := Parse(again); err != nil || !proto.Equal(back, p) {
			t.Fatalf("%s\nbecomes %v (%v)", again, back, err)
		}
	})
}
