package spec

import (
	"strings"
	"testing"
)

// TestParse_Accepts edits a legal file once and checks whether it is still legal. Names that only the charts and protos know are tested in cmd/sandbox.
func TestParse_Accepts(t *testing.T) {
	for _, tc := range []struct {
		sentence, old, new string
		accept             bool
	}{
		{"a method of a breaker without its service", "state: open}", "state: open, method: nonsense}", false},
		{"a breaker of a caller that is not observed", "from: loadgen, to: userservice, state", "from: nobody, to: nowhere, state", false},
		{"a path from a caller other than loadgen: never observed", "from: loadgen, to: userservice, visits", "from: orderservice, to: paymentservice, visits", false},
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

func TestParse_RequestIsTextAsWritten(t *testing.T) {
	for in, want := range map[string]string{
		`userId: 2026-01-01`:                                 `{"userId":"2026-01-01"}`,
		`userId: 2026-01-01T10:00:00Z`:                       `{"userId":"2026-01-01T10:00:00Z"}`,
		`sku: 007, size: 0x1f, octal: 0o17`:                  `{"sku":"007","size":"0x1f","octal":"0o17"}`,
		`n: 12, f: -1.50, e: 1e3, big: 12345678901234567890`: `{"n":12,"f":-1.50,"e":1e3,"big":12345678901234567890}`,
		`on: yes, b: true, s: "true", none: null, tilde: ~`:  `{"on":"yes","b":true,"s":"true","none":null,"tilde":null}`,
		`quoted: "12", tagged: !!str 12`:                     `{"quoted":"12","tagged":"12"}`,
		`deep: {list: [1, "a", {x: <&>}]}`:                   `{"deep":{"list":[1,"a",{"x":"<&>"}]}}`,
		`inf: .inf, under: 1_000, plus: +1`:                  `{"inf":".inf","under":"1_000","plus":"+1"}`,
	} {
		sc, err := Parse("mine.yaml", []byte(strings.Replace(legal, `userId: "u-{{ n 1 9 }}"`, in, 1)))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got := sc.Load[0].Call.Request; got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
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

func TestSanity_ReportsPlaceAndRemedy(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"steady: {for: 5s", "steady: {for: 1ms", "mine.yaml:12: spec.steady.for: at 2/s only 0.002 calls of browse fall due in 1ms, too few to judge; want 10\n  try: for: 5s"},
		{"below: 50%, for: 10s", "below: 50%, for: 24h", "mine.yaml:26: spec.abort[0].availability.for: the window of 24h0m0s is longer than a run of this file can take, which is 46s: the limit guards nothing\n  try: for: 10s"},
		{"replicas: 0}", "replicas: 10000000}", "mine.yaml:18: spec.steps[1].scale.replicas: 10000000 pods are more than a node can hold, which is 110\n  try: replicas: 5"},
		{"visits: [closed, open]", "trace: [closed, half-open]", "mine.yaml:25: spec.expect[1].breaker.trace[1]: no breaker goes from closed to half-open\n  a breaker goes"},
		{"killPod: {release: userservice", "killPod: {release: loadgen", "mine.yaml:15: spec.steps[0].killPod.release: loadgen sends the load and observes it: without it nothing is measured\n  choose"},
		{"below: 50%", "below: 0%", `mine.yaml:26: spec.abort[0].availability.below: want a percentage above 0%, got "0%": it can never fail` + "\n  try: 99.5%"},
	} {
		_, err := Parse("mine.yaml", []byte(strings.Replace(legal, c.old, c.new, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
	}
}
