package catalog

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/charts"
	"github.com/grpc-sandbox/sandbox/scenarios"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
	"github.com/grpc-sandbox/sandbox/services/loadgen/loadspec"
)

// legalScenario is valid. The rows of a test edit it; line numbers start at 1.
const legalScenario = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata: {name: mine}
spec:
  load:
    - name: browse
      from: loadgen
      call:
        service: userservice
        method: user.v1.UserService/GetUser
        request: {userId: "u-{{ n 1 9 }}"}
      rate: 20/s
  steady: {for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}
  steps:
    - name: kill
      killPod: {release: userservice, count: 1}
  expect:
    - breaker: {from: loadgen, to: userservice, method: user.v1.UserService/GetUser, trace: [closed]}
    - ready: {release: userservice, replicas: 3}
`

func TestCheck_LooksUpEveryName(t *testing.T) {
	order := "service: orderservice\n        method: order.v1.OrderService/CreateOrder\n        request: {userId: u-1, lines: [{sku: sku-1, quantity: 1}]}"
	call := legalScenario[strings.Index(legalScenario, "service: userservice"):strings.Index(legalScenario, "\n      rate")]
	for _, c := range []struct{ sentence, old, new, want string }{
		{"a call of another service", call, order, ""},
		{"a request that consists of a template", "{userId: \"u-{{ n 1 9 }}\"}", "{}", ""},
		{"a service that the generator cannot call", "service: userservice", "service: paymentservice", `9: spec.load[0].call.service: the load generator cannot call "paymentservice"` + "\n  try: one of " + strings.Join(charts.LoadTargets(), ", ")},
		{"a method of another service", "UserService/GetUser\n", "OrderService/GetOrder\n", `10: spec.load[0].call.method: userservice does not serve "user.v1.OrderService"`},
		{"an unknown method", "method: user.v1.UserService/GetUser\n", "method: user.v1.UserService/GetUsr\n",
			`10: spec.load[0].call.method: user.v1.UserService has no method "GetUsr"` + "\n  try: user.v1.UserService/GetUser; valid here: user.v1.UserService/GetUser, user.v1.UserService/"},
		{"a stream", "method: user.v1.UserService/GetUser\n", "method: user.v1.UserService/Chat\n", "10: spec.load[0].call.method: user.v1.UserService/Chat is a stream"},
		{"an unknown field", "userId:", "userid:", "11: spec.load[0].call.request.userid: user.v1.GetUserRequest has no such field\n  try: userId; valid here: userId"},
		{"an unknown nested field", call, strings.Replace(order, "quantity", "quantiy", 1), "11: spec.load[0].call.request.lines[0].quantiy: order.v1.CreateOrderRequest has no such field\n  try: quantity; valid here: "},
		{"a value of another type", call, strings.Replace(order, "quantity: 1", "quantity: many", 1), "11: spec.load[0].call.request: not a order.v1.CreateOrderRequest: invalid value for int32 field quantity: \"many\""},
		{"an invalid template", "{{ n 1 9 }}", "{{ uuid }}", "11: spec.load[0].call.request: reading the template: {{ uuid }} is unknown"},
		{"an unknown release", "killPod: {release: userservice", "killPod: {release: userservce", `16: spec.steps[0].killPod.release: there is no release "userservce"` + "\n  try: userservice; valid here: "},
		{"an unknown release, in a fault", "killPod: {release: userservice, count: 1}", "fault: {release: userservce, spec: {hang: {}}}", `16: spec.steps[0].fault.release: there is no release "userservce"`},
		{"an unknown release, in a policy", "killPod: {release: userservice, count: 1}", "applyPolicy: {release: userservce, spec: {maxRequestsPerSecond: 5}}", `16: spec.steps[0].applyPolicy.release: there is no release "userservce"`},
		{"an unknown release, in a renewal", "killPod: {release: userservice, count: 1}", "renewCertificate: {release: jaeger}",
			`16: spec.steps[0].renewCertificate.release: there is no release "jaeger"` + "\n  try: "},
		{"an unknown method, in a fault", "killPod: {release: userservice, count: 1}", "fault: {release: userservice, spec: {hang: {}, method: user.v1.UserService/GetUsr}}",
			`16: spec.steps[0].fault.spec.method: userservice has no method that matches "user.v1.UserService/GetUsr"` + "\n  try: user.v1.UserService/GetUser; valid here: "},
		{"a pattern that a method matches, in a fault", "killPod: {release: userservice, count: 1}", "fault: {release: userservice, spec: {hang: {}, method: user.v1.UserService/Get*}}", ""},
		{"a method of the callee, in a fault of the caller", "killPod: {release: userservice, count: 1}",
			"fault: {release: orderservice, spec: {side: client, callee: userservice, hang: {}, method: user.v1.UserService/GetUser}}", ""},
		{"a method of the caller, in a fault of the caller", "killPod: {release: userservice, count: 1}",
			"fault: {release: orderservice, spec: {side: client, callee: userservice, hang: {}, method: order.v1.OrderService/GetOrder}}",
			`16: spec.steps[0].fault.spec.method: userservice has no method that matches "order.v1.OrderService/GetOrder"`},
		{"a method of any callee", "killPod: {release: userservice, count: 1}", "fault: {release: orderservice, spec: {side: client, hang: {}, method: user.v1.UserService/GetUser}}", ""},
		{"an unknown method, in a policy", "killPod: {release: userservice, count: 1}",
			"applyPolicy: {release: userservice, spec: {methods: [{deadline: {timeout: 1s}}, {method: user.v1.UserServic/*, deadline: {timeout: 1s}}]}}",
			`16: spec.steps[0].applyPolicy.spec.methods[1].method: userservice has no method that matches "user.v1.UserServic/*"`},
		{"an unknown release, in an expectation", "ready: {release: userservice", "ready: {release: nowhere", `19: spec.expect[1].ready.release: there is no release "nowhere"`},
		{"a path to an unknown service", "to: userservice", "to: nowhere", `18: spec.expect[0].breaker.to: the load generator cannot call "nowhere", and has no breaker for it`},
		{"a path that only a background load takes", "to: userservice, method: user.v1.UserService/GetUser", "to: orderservice", ""},
		{"a method that no background load calls", "to: userservice, method: user.v1.UserService/GetUser", "to: orderservice, method: order.v1.OrderService/GetOrder",
			"18: spec.expect[0].breaker.method: no load calls order.v1.OrderService/GetOrder of orderservice"},
		{"a method that no load calls", "method: user.v1.UserService/GetUser, trace", "method: user.v1.UserService/CreateUser, trace", "18: spec.expect[0].breaker.method: no load calls user.v1.UserService/CreateUser of userservice"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			text := strings.Replace(legalScenario, c.old, c.new, 1)
			if text == legalScenario {
				t.Fatal("no edit")
			}
			sc, err := scenarios.Parse("mine.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			err = sc.Check(Known())
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var file *scenarios.FileError
			if !errors.As(err, &file) || !strings.HasPrefix(file.Text(nil), "mine.yaml:"+c.want) {
				t.Errorf("got %v\nwant mine.yaml:%s", err, c.want)
			}
		})
	}
}

func TestCheck_PathThatNoLoadTakes(t *testing.T) {
	sc, err := scenarios.Parse("mine.yaml", []byte(strings.Replace(legalScenario, "to: userservice, method: user.v1.UserService/GetUser", "to: orderservice", 1)))
	if err != nil {
		t.Fatal(err)
	}
	known := Known()
	known.Background = nil
	const want = "mine.yaml:18: spec.expect[0].breaker.to: no load calls orderservice, so that there is no breaker on this path"
	if err := sc.Check(known); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestCheck_BuiltinScenariosAreValid(t *testing.T) {
	for _, sc := range scenarios.Builtin() {
		if _, err := LoadScenario(sc.Name); err != nil {
			t.Error(err)
		}
	}
}

// TestCheck_CasesAreValid reads the files that the engine's tests run.
func TestCheck_CasesAreValid(t *testing.T) {
	for _, name := range []string{"false-recovery", "heal-before-kill"} {
		if _, err := LoadScenario("../../../scenarios/testdata/cases/" + name + ".yaml"); err != nil {
			t.Error(err)
		}
	}
}

// TestCheck_NonsenseIsRefused checks that every invalid line of the file has a problem. Problems that only the catalog can find are reported once the
// others are corrected.
func TestCheck_NonsenseIsRefused(t *testing.T) {
	const path = "../../../scenarios/testdata/cases/nonsense.yaml"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []int
	for round := 0; ; round++ {
		sc, err := scenarios.Parse(path, data)
		if err == nil {
			err = sc.Check(Known())
		}
		var file *scenarios.FileError
		if !errors.As(err, &file) {
			if err != nil || round == 0 {
				t.Fatalf("round %d: %v", round, err)
			}
			break
		}
		text := strings.Split(string(data), "\n")
		for _, p := range file.Problems {
			lines = append(lines, p.Line)
			better, ok := corrections[p.Path]
			if !ok {
				t.Fatalf("an unexpected problem: %s", p)
			}
			if !strings.Contains(text[p.Line-1], better[0]) {
				t.Fatalf("%s: the line has no %q", p, better[0])
			}
			text[p.Line-1] = strings.Replace(text[p.Line-1], better[0], better[1], 1)
		}
		data = []byte(strings.Join(text, "\n"))
	}
	if len(lines) != len(corrections) {
		t.Errorf("%d problems, on lines %v; want %d", len(lines), lines, len(corrections))
	}
}

// corrections are the edits that make nonsense.yaml valid, by field.
var corrections = map[string][2]string{
	"spec.load[0].rate":                          {"50000/s", "50/s"},
	"spec.load[0].call.service":                  {"paymentservice", "userservice"},
	"spec.load[0].call.method":                   {"Nope", "GetUser"},
	"spec.load[0].call.request":                  {"{{ uuid }}", "{{ n 1 2 }}"},
	"spec.load[0].call.request.nope":             {"nope:", "userId:"},
	"spec.load[0].call.request.on":               {", on: 2026-01-01", ""},
	"spec.steady.expect[0].availability.atLeast": {"atLeast: 0%", "atLeast: 90%"},
	"spec.steady.for":                            {"for: 1ms", "for: 5s"},
	"spec.steps[0].name":                         {`"a\e[2Jb"`, "a"},
	"spec.steps[0].scale.replicas":               {"10000000", "4"},
	"spec.recover.expect[0].ready.replicas":      {"replicas: 0", "replicas: 1"},
	"spec.recover.expect[0].ready.release":       {"userservcie", "userservice"},
	"spec.expect[0].breaker.from":                {"from: nobody", "from: loadgen"},
	"spec.expect[0].breaker.to":                  {"to: nowhere", "to: userservice"},
	"spec.expect[0].breaker.method":              {"method: nonsense", "method: user.v1.UserService/GetUser"},
	"spec.expect[0].breaker.trace[1]":            {"[open, closed]", "[open, half-open]"},
	"spec.abort[0].availability.below":           {"below: 0%", "below: 10%"},
	"spec.abort[0].availability.for":             {"for: 24h", "for: 10s"},
}

func TestRates_LimitsAreTheGenerators(t *testing.T) {
	if scenarios.MinRate != loadspec.MinRate || scenarios.MaxRate != loadspec.MaxRate {
		t.Errorf("scenarios allow %s to %s, the generator %v to %v", scenarios.MinRate, scenarios.MaxRate, loadspec.MinRate, loadspec.MaxRate)
	}
	for _, c := range []struct {
		rate string
		ok   bool
	}{{"20000/s", true}, {"20001/s", false}, {"0.06/m", true}, {"0.05/m", false}} {
		rate, err := scenarios.ParseRate(c.rate)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.rate, err)
		}
		if err == nil && loadspec.CheckRate(float64(rate)) != nil {
			t.Errorf("the generator refuses %s", c.rate)
		}
	}
}

// TestKnown_TargetsAreServed checks the catalog against the services of the command line.
func TestKnown_TargetsAreServed(t *testing.T) {
	known := Known()
	for _, target := range charts.LoadTargets() {
		c := scenarios.Call{Service: target, Method: "x.Y/Z"}
		if wrong := known.Call(c); wrong == nil || wrong.Remedy.IsZero() {
			t.Errorf("%s: %+v", target, wrong)
		}
	}
	want := []string{charts.Control, charts.Gateway, "postgres"}
	for _, s := range charts.Services() {
		want = append(want, s.Name)
	}
	if target.Generator != charts.LoadGenerator || target.Gateway != charts.Gateway {
		t.Errorf("scenarios call the load generator %s and the gateway %s", target.Generator, target.Gateway)
	}
	if slices.Sort(want); !slices.Equal(known.Releases, want) {
		t.Errorf("releases %v, want %v", known.Releases, want)
	}
	for _, name := range []string{loadspec.Background, loadspec.BackgroundOrders} {
		if !target.IsBackground(name) {
			t.Errorf("scenarios can use the name %q", name)
		}
	}
	for _, c := range known.Background {
		c.Request = "{}"
		if wrong := known.Call(c); wrong != nil || !slices.Contains(known.Targets, c.Service) {
			t.Errorf("the background load of %s: %+v", c.Service, wrong)
		}
	}
}
