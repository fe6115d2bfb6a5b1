package spec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/grpc-sandbox/sandbox/scenarios/action"
	"github.com/grpc-sandbox/sandbox/scenarios/expect"
	"github.com/grpc-sandbox/sandbox/scenarios/grammar"
	"github.com/grpc-sandbox/sandbox/scenarios/target"
)

// legal is the smallest file with a part of each kind.
const legal = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata:
  name: mine
spec:
  seed: 7
  load:
    - name: browse
      from: loadgen
      call: {service: userservice, method: user.v1.UserService/GetUser, request: {userId: "u-{{ n 1 9 }}"}}
      rate: 120/m
  steady: {for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}
  steps:
    - name: kill
      killPod: {release: userservice, count: 1}
    - name: away
      after: 1s
      scale: {release: userservice, replicas: 0}
      waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 20s}
    - name: back
      heal: {step: away}
  recover: {within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}
  expect:
    - latency: {of: browse, quantile: 0.99, atMost: 250ms}
    - breaker: {from: loadgen, to: userservice, visits: [closed, open]}
  abort: [{availability: {of: browse, below: 50%, for: 10s}}]
`

// valid is the file that the tests below edit. They check line numbers in it.
const valid = `apiVersion: sandbox.dev/v1alpha1
kind: Scenario
metadata:
  name: mine
spec:
  seed: 7
  load:
    - name: browse
      from: loadgen
      call: {service: userservice, method: user.v1.UserService/GetUser, request: {userId: "u-{{ n 1 9 }}", deep: [{a: 1}]}}
      rate: 120/m
  steady: {for: 5s, expect: [{availability: {of: browse, atLeast: 99.9%}}]}
  steps:
    - name: kill
      killPod:
        release: userservice
        count: 1
    - name: away
      after: 1s
      scale: {release: userservice, replicas: 0}
      waitFor: {breaker: {from: loadgen, to: userservice, state: open}, within: 20s}
    - name: back
      heal: {step: away}
  recover: {within: 20s, expect: [{ready: {release: userservice, replicas: 3}}]}
  expect:
    - latency: {of: browse, quantile: 0.99, atMost: 250ms}
    - breaker: {from: loadgen, to: userservice, visits: [closed, open]}
  abort: [{availability: {of: browse, below: 50%, for: 10s}}]
`

func TestParse_ReadsEveryPart(t *testing.T) {
	sc, err := Parse("mine.yaml", []byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	want := []target.LoadSpec{{Name: "browse", From: "loadgen", Call: target.Call{Service: "userservice", Method: "user.v1.UserService/GetUser", Request: `{"userId":"u-{{ n 1 9 }}","deep":[{"a":1}]}`}, Rate: 2, Seed: 7}}
	if diff := cmp.Diff(want, sc.Load); diff != "" {
		t.Error(diff)
	}
	if len(sc.Steps) != 3 || sc.Steps[1].WaitFor == nil || sc.Steps[2].Action.String() != `undo "away"` || len(sc.Abort) != 1 {
		t.Errorf("steps %+v", sc.Steps)
	}
}

func TestParse_Refuses(t *testing.T) {
	const loads = "valid here: browse"
	actions, expectations := strings.Join(grammar.Names(action.Grammar()), ", "), strings.Join(grammar.Names(expect.Kinds()), ", ")
	for _, tc := range []struct{ sentence, old, new, want string }{
		{"a number that is no number", "count: 1", "count: x", `17: spec.steps[0].killPod.count: want a whole number of at least 1, got "x"` + "\n  try: 1"},
		{"a count of none", "count: 1", "count: 0", `17: spec.steps[0].killPod.count: want a whole number of at least 1, got "0"` + "\n  try: 1"},
		{"a misspelt field", "count: 1", "cuont: 1", "17: spec.steps[0].killPod.cuont: unknown field\n  try: count; valid here: release, count, gracePeriod"},
		{"a field like no other", "count: 1", "colour: red", "17: spec.steps[0].killPod.colour: unknown field\n  try: one of release, count, gracePeriod"},
		{"a misspelt action", "heal: {step: away}", "heel: {step: away}", "22: spec.steps[2]: the step does nothing\n  try: one of " + actions + ", waitFor, measure\n" +
			"mine.yaml:23: spec.steps[2].heel: unknown field\n  try: heal; valid here: name, after, waitFor, measure, " + actions},
		{"a field given twice", "count: 1", "release: x", "17: spec.steps[0].killPod.release: the field is given twice\n  try: keep one of them"},
		{"a missing field", "        release: userservice\n", "", "15: spec.steps[0].killPod.release: missing\n  try: release: userservice"},
		{"an action without fields", "heal: {step: away}", "heal: away", "23: spec.steps[2].heal: want fields, got \"away\"\n  try: one of step"},
		{"two actions in a step", "heal: {step: away}", "heal: {step: away}\n      wait: {for: 1s}", "22: spec.steps[2]: a step has one action, this one has 2: heal, wait\n  try: make each a step of its own"},
		{"a bad duration", "after: 1s", "after: 1 second", "19: spec.steps[1].after: want a duration, got \"1 second\"\n  try: 5s, 250ms or 1m30s"},
		{"a load from elsewhere", "from: loadgen\n", "from: orderservice\n", "9: spec.load[0].from: want loadgen, or partner/NAME with a name of at most 36 lower-case letters, digits and hyphens, got \"orderservice\"\n  try: from: loadgen"},
		{"a negative duration", "after: 1s", "after: -1s", "19: spec.steps[1].after: want a duration from 0s to 24h0m0s, got \"-1s\"\n  try: 5s, 250ms or 1m30s"},
		{"a window of no length", "for: 10s", "for: 0s", "28: spec.abort[0].availability.for: want a duration above 0s, got \"0s\"\n  try: 5s, 250ms or 1m30s"},
		{"a share that is no percentage", "below: 50%", "below: 0.5", "28: spec.abort[0].availability.below: want a percentage, got \"0.5\"\n  try: 99.5%"},
		{"more than everything", "below: 50%", "below: 101%", "28: spec.abort[0].availability.below: want a percentage from 0% to 100%, got \"101%\"\n  try: 99.5%"},
		{"a rate without a unit", "rate: 120/m", "rate: 120", "11: spec.load[0].rate: want a rate, got \"120\"\n  try: 200/s or 90/m"},
		{"a rate an hour", "rate: 120/m", "rate: 120/h", "11: spec.load[0].rate: want a rate per second or per minute, got \"120/h\"\n  try: 200/s or 90/m"},
		{"a rate of nothing", "rate: 120/m", "rate: 0/s", "11: spec.load[0].rate: want a rate from 0.001/s to 20000/s, got \"0/s\"\n  try: 200/s or 90/m"},
		{"a quantile in percent", "quantile: 0.99", "quantile: 99", "26: spec.expect[0].latency.quantile: want a quantile between 0 and 1, got \"99\"\n  try: 0.99"},
		{"a load that does not exist", "of: browse, quantile", "of: brows, quantile", "26: spec.expect[0].latency.of: there is no load \"brows\"\n  try: browse; " + loads},
		{"a step that does not exist", "step: away", "step: abroad", "23: spec.steps[2].heal.step: there is no earlier, undoable step \"abroad\"\n  try: one of away"},
		{"healing what cannot be undone", "step: away", "step: kill", "23: spec.steps[2].heal.step: there is no earlier, undoable step \"kill\"\n  try: one of away"},
		{"two steps of one name", "name: back", "name: kill", "22: spec.steps[2].name: \"kill\" is already used on line 14\n  try: give each its own name"},
		{"a breaker state that does not exist", "visits: [closed, open]", "visits: [closed, opened]", "27: spec.expect[1].breaker.visits[1]: unknown breaker state \"opened\"\n  try: open; valid here: closed, open, half-open"},
		{"a state that follows itself", "visits: [closed, open]", "trace: [closed, closed]", "27: spec.expect[1].breaker.trace[1]: closed follows itself, but a breaker only ever changes state\n  try: name each visit once"},
		{"a measurement of nothing", "heal: {step: away}", "measure: {for: 10s, expect: []}", "23: spec.steps[2].measure.expect: the list is empty\n  try: add an entry, or leave the field out"},
		{"a measurement over too few calls", "heal: {step: away}", "measure: {for: 5s, expect: [{availability: {of: browse, atMost: 50%}}]}",
			"23: spec.steps[2].measure.expect[0].availability: at 2/s only 10 calls of browse fall due in the window of 5s, which needs 20\n  try: raise the rate of browse to 4/s, or set for: 10s"},
		{"an availability without a limit", "{of: browse, atLeast: 99.9%}", "{of: browse}", "12: spec.steady.expect[0].availability: want one of atLeast and atMost, got none\n  try: atLeast: 99.5%"},
		{"an availability with two limits", "{of: browse, atLeast: 99.9%}", "{of: browse, atLeast: 99.9%, atMost: 99.95%}", "12: spec.steady.expect[0].availability: want one of atLeast and atMost, got both\n  try: write two expectations"},
		{"a limit that can never fail", "{of: browse, atLeast: 99.9%}", "{of: browse, atMost: 100%}", `12: spec.steady.expect[0].availability.atMost: want a percentage below 100%, got "100%": it can never fail` + "\n  try: 50%"},
		{"a metric without a limit", "availability: {of: browse, atLeast: 99.9%}", "metric: {query: up}", "12: spec.steady.expect[0].metric: want one of atLeast and atMost, got none\n  try: atLeast: 100"},
		{"a metric with a limit that is no number", "availability: {of: browse, atLeast: 99.9%}", "metric: {query: up, atMost: many}", `12: spec.steady.expect[0].metric.atMost: want a number, got "many"` + "\n  try: 100"},
		{"a breaker with two questions", "state: open}", "state: open, trace: [open]}", "21: spec.steps[1].waitFor.breaker: want one of trace, visits and state, got 2\n  try: state: closed"},
		{"two expectations in one entry", "- latency: {of", "- ready: {release: a, replicas: 1}\n      latency: {of", "26: spec.expect[0]: want one expectation, got 2\n  try: one of " + expectations},
		{"a condition that is none", "{breaker: {from: loadgen, to: userservice, state: open}, within: 20s}", "{within: 20s}", "21: spec.steps[1].waitFor: want one expectation, got 0\n  try: one of " + expectations},
		{"another version", "v1alpha1", "v2", "1: apiVersion: want sandbox.dev/v1alpha1, got \"sandbox.dev/v2\"\n  try: apiVersion: sandbox.dev/v1alpha1"},
		{"a name with a space", "name: mine", "name: my own", "4: metadata.name: want a name, got \"my own\"\n  try: use lower-case letters, digits and dashes, at most 63"},
		{"a method without its service", "method: user.v1.UserService/GetUser", "method: GetUser", "10: spec.load[0].call.method: want package.Service/Method, got \"GetUser\"\n  try: user.v1.UserService/GetUser"},
		{"a value left empty", "count: 1", "count:", "17: spec.steps[0].killPod.count: want a whole number of at least 1, got nothing"},
		{"a list that is none", "visits: [closed, open]", "visits: closed", "27: spec.expect[1].breaker.visits: want a list, got \"closed\"\n  try: start each entry with a dash"},
		{"an alias", "{step: away}", "{step: &a away}\n    - name: again\n      heal: {step: *a}", "25: spec.steps[3].heal.step: want a name, got a YAML alias (scenario files are written out in full)"},
		{"a zero byte", "kind: Scenario", "kind: Scen\x00rio", "2: U+0000 at character 11 is a control character\n  try: remove it; in a text with double quotes, write it as an escape such as \\x00"},
		{"a byte that is not UTF-8", "name: mine", "name: m\xe4ne", "4: byte 0xe4 at character 10 is not UTF-8\n  try: save the file as UTF-8"},
		{"a description of two lines", "name: mine", "name: mine\n  description: \"a\\nb\"", "5: metadata.description: want a text of one line without control characters, got \"a\\nb\"\n  try: write one line of text"},
		{"what is not YAML", "kind: Scenario", "kind: [", ""},
		{"nothing", valid, "", "1: the file is empty\n  try: sandbox scenarios show pod-kill"},
		{"only a comment", valid, "# nothing\n", "1: the file is empty\n  try: sandbox scenarios show pod-kill"},
		{"a list", valid, "- a\n", "1: want fields, got a list\n  try: one of apiVersion, kind, metadata, spec"},
		{"two documents", "  abort:", "---\nx: 1\n---\n  abort:", "28: there is more than one YAML document\n  try: split it, one scenario a file"},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			if !strings.Contains(valid, tc.old) {
				t.Fatalf("the valid file does not hold %q", tc.old)
			}
			_, err := Parse("mine.yaml", []byte(strings.Replace(valid, tc.old, tc.new, 1)))
			var file *grammar.FileError
			if !errors.As(err, &file) {
				t.Fatalf("error %v", err)
			}
			got := file.Text(nil)
			if tc.want == "" {
				if !strings.Contains(got, "not YAML") {
					t.Error(got)
				}
				return
			}
			if diff := cmp.Diff(strings.Split("mine.yaml:"+tc.want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParse_ReportsProblemsInTheOrderOfTheLines(t *testing.T) {
	text := strings.NewReplacer("rate: 120/m", "rate: fast", "count: 1", "count: many", "below: 50%", "below: half", "kind: Scenario", "kind: Story").Replace(valid)
	_, err := Parse("mine.yaml", []byte(text))
	var file *grammar.FileError
	if !errors.As(err, &file) {
		t.Fatal(err)
	}
	var lines []int
	for _, p := range file.Problems {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{2, 11, 17, 28}, lines); diff != "" {
		t.Error(diff)
	}
}

func FuzzParse_ValidOrFileError(f *testing.F) {
	f.Add([]byte(valid))
	files, err := filepath.Glob("../library/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("spec: {load: &a [*a], steps: [null, {wait: }], expect: {}}"))
	f.Add([]byte("{[a]: b, ? {x: y} : z}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sc, err := Parse("f.yaml", data)
		var file *grammar.FileError
		if err != nil && (!errors.As(err, &file) || len(file.Problems) == 0 || file.Error() == "") {
			t.Errorf("an error of another kind: %v", err)
		}
		if err == nil && (sc.Name == "" || len(sc.Load) == 0 || len(sc.Steps) == 0 || len(sc.Expect) == 0) {
			t.Errorf("accepted what cannot be run: %+v", sc)
		}
	})
}

func TestProblem_EscapesControlCharacters(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"name: mine", "name: mine\n  \"\\e[2J\\nx\": 1", `mine.yaml:5: metadata.\x1b[2J x: unknown field`},
		{"name: back", "name: \"back\\e[31m\"", `mine.yaml:20: spec.steps[2].name: want a text of one line without control characters, got "back\x1b[31m"`},
		{"from: loadgen\n", "from: \"\\u009b2J\"\n", `mine.yaml:9: spec.load[0].from: want a text of one line without control characters, got "\u009b2J"`},
	} {
		_, err := Parse("mine.yaml", []byte(strings.Replace(legal, c.old, c.new, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestParse_Accepts edits a legal file once and checks whether it is still legal. Names that only the charts and protos know are tested in
// cmd/sandbox.
func TestParse_Accepts(t *testing.T) {
	for _, tc := range []struct {
		sentence, old, new string
		accept             bool
	}{
		{"a method of a breaker without its service", "state: open}", "state: open, method: nonsense}", false},
		{"the breaker of another caller than loadgen", "from: loadgen, to: userservice, visits", "from: orderservice, to: paymentservice, visits", true},
		{"a trace that no breaker can make: closed to half-open", "visits: [closed, open]", "trace: [closed, half-open]", false},
		{"a trace that no breaker can make: open to closed", "visits: [closed, open]", "trace: [open, closed]", false},
		{"ten million replicas", "replicas: 0}", "replicas: 10000000}", false},
		{"ready of no pods, which always holds", "replicas: 3}", "replicas: 0}", false},
		{"a limit below 0%, which never trips", "below: 50%", "below: 0%", false},
		{"an availability of at least 0%, which always holds", "atLeast: 99.9%", "atLeast: 0%", false},
		{"a limit over a window longer than any run of this file", "below: 50%, for: 10s", "below: 50%, for: 24h", false},
		{"a rate that the generator refuses: 50000/s", "rate: 120/m", "rate: 50000/s", false},
		{"a rate that the generator refuses: 0.01/m", "rate: 120/m", "rate: 0.01/m", false},
		{"a load with the name of loadgen's own", "name: browse\n", "name: background\n", false},
		{"a load with the name of loadgen's own orders", "name: browse\n", "name: background-orders\n", false},
		{"killing the load generator", "killPod: {release: userservice", "killPod: {release: loadgen", false},
		{"scaling the load generator to 0", "scale: {release: userservice", "scale: {release: loadgen", false},
		{"two equal expectations", "    - breaker: {from: loadgen, to: userservice, visits: [closed, open]}", "    - breaker: {from: loadgen, to: userservice, visits: [closed, open]}\n    - breaker: {from: loadgen, to: userservice, visits: [closed, open]}", false},
		{"a steady state shorter than one arrival", "steady: {for: 5s", "steady: {for: 1ms", false},
		{"a load too slow for the window of 2 s in which recover looks", "rate: 120/m", "rate: 1/m", false},
		{"a step's name over two lines", "name: back", "name: \"back\\nand forth\"", false},
		{"a step's name with an escape sequence", "name: back", "name: \"back\\e[31m\"", false},
		{"a seed beyond 2^31", "seed: 7", "seed: 4294967296", true},
		{"a merge key", "{step: away}", "{<<: {step: away}}", false},
		{"a byte order mark", "apiVersion: s", "\ufeffapiVersion: s", true},
		{"carriage returns", "\n", "\r\n", true},
		{"a tab as indent", "  seed: 7", "\tseed: 7", false},
		{"a document end", "for: 10s}}]\n", "for: 10s}}]\n...\n", true},
		{"a trailing document start", "for: 10s}}]\n", "for: 10s}}]\n---\n", true},
		{"a leading document start", "apiVersion", "---\napiVersion", true},
		{"a comment at the end", "for: 10s}}]\n", "for: 10s}}]\n# done\n", true},
		{"a date in the request is its text", `userId: "u-{{ n 1 9 }}"`, `userId: 2026-01-01`, true},
		{"a repeated key in the request", `userId: "u-{{ n 1 9 }}"`, `userId: a, userId: b`, false},
		{"NUL", "name: back", "name: \"back\\0\"", false},
		{"a hold that recover cannot reach", "recover: {within: 20s", "recover: {within: 20s, hold: 30s", false},
		{"a hold of a breaker's state", "within: 20s}\n    - name: back", "within: 20s, hold: 1s}\n    - name: back", true},
		{"a ratio over no window", "recover: {within: 20s, expect: [", "recover: {within: 20s, hold: 0s, expect: [{availability: {of: browse, atLeast: 9%}}, ", false},
		{"a load too slow for the window of recover", "recover: {within: 20s, expect: [", "recover: {within: 20s, expect: [{availability: {of: browse, atLeast: 9%}}, ", false},
		{"the same load with a longer window", "recover: {within: 20s, expect: [", "recover: {within: 20s, hold: 10s, expect: [{availability: {of: browse, atLeast: 9%}}, ", true},
		{"a side that is none", "atLeast: 99.9%}", "atLeast: 99.9%, side: server}", false},
		{"the callee's side", "atLeast: 99.9%}", "atLeast: 99.9%, side: callee}", true},
		{"the latency of failed calls", "atMost: 250ms", "atMost: 250ms, calls: failed", true},
		{"a seed beyond 2^64", "seed: 7", "seed: 18446744073709551616", false},
		{"a description that turns the text around", "name: mine", "name: mine\n  description: \"a\\u202eb\"", false},
		{"several trailing document starts", "for: 10s}}]\n", "for: 10s}}]\n---\n---\n# done\n", true},
		{"an alias in the request", `userId: "u-{{ n 1 9 }}"`, `userId: &a x, other: *a`, false},
	} {
		t.Run(tc.sentence, func(t *testing.T) {
			n := 1
			if tc.old == "\n" {
				n = -1
			}
			text := strings.Replace(legal, tc.old, tc.new, n)
			if text == legal {
				t.Fatal("no edit")
			}
			if _, err := Parse("mine.yaml", []byte(text)); (err == nil) != tc.accept {
				t.Errorf("accepted: %v, want %v: %v", err == nil, tc.accept, err)
			}
		})
	}
}
