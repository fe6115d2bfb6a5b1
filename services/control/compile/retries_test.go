package compile

import (
	"strings"
	"testing"

	"github.com/grpc-sandbox/sandbox/services/governance/policy"
)

// TestPercent_RetryIsApproximated checks what is reported about streams, which grpc-go repeats as the rules without percent say.
func TestPercent_RetryIsApproximated(t *testing.T) {
	for _, c := range []struct{ selector, percent, want string }{
		{byName, "", ""},
		{byName, "percent: 100\n", ""},
		{byName, "percent: 0\n", noCall},
		{byName, "percent: 10\n", unaryOnly},
		{byBoth, "percent: 10\n", somePods + "; " + unaryOnly},
	} {
		other := pod("b", "b-2")
		other.Labels = map[string]string{ServiceLabel: "b"}
		w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1"), other}, Policies: []TrafficPolicy{
			traffic("p", specOf(t, c.selector+c.percent+"methods: [{deadline: {timeout: 1s}, retry: {idempotent: true}}]"))}}
		found := 0
		for _, v := range New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}}).Values {
			switch lastName(v.Field) {
			case "retry":
				found++
				if v.Approximated != c.want {
					t.Errorf("%q: approximated %q, want %q", c.percent, v.Approximated, c.want)
				}
			case "deadline":
				if strings.Contains(v.Approximated, unaryOnly) {
					t.Errorf("%q: the deadline is approximated: %s", c.percent, v.Approximated)
				}
			}
		}
		if found != 1 {
			t.Errorf("%q: %d values of retry", c.percent, found)
		}
	}
}

// TestAttempts_RetriedOrHedged checks that a unary call is retried or hedged, as the last rule says, and that what is reported agrees with it.
func TestAttempts_RetriedOrHedged(t *testing.T) {
	const retry, hedge = "retry: {idempotent: true, maxAttempts: 3}", "hedge: {idempotent: true, delay: 50ms}"
	for _, c := range []struct {
		methods        string
		retries, hedge bool
		want           string
	}{
		{"{" + retry + "}", true, false, "retry "},
		{"{" + retry + ", " + hedge + "}", true, true, "retry " + streamsOnly + ", hedge "},
		{"{" + retry + "}, {" + hedge + "}", true, true, "retry " + streamsOnly + ", hedge "},
		{"{" + hedge + "}, {" + retry + "}", true, false, "hedge lost, retry "},
		{"{" + hedge + "}, {method: x.Y/Z, " + retry + "}", true, false, "hedge , retry "},
		{"{" + retry + "}, {hedge: {maxAttempts: 1}}", true, false, "retry , hedge "},
		{"{" + hedge + "}, {retry: {maxAttempts: 1}}", false, true, "hedge , retry "},
	} {
		w := World{Pods: []Pod{pod("a", "a-1"), pod("b", "b-1")}, Policies: []TrafficPolicy{traffic("p", specOf(t, byName+"methods: ["+c.methods+"]"))}}
		compiled := New(w).For(Process{Pod: pod("a", "a-1"), Callees: []string{"b"}})
		inForce, err := policy.New(compiled.Policy)
		if err != nil {
			t.Fatal(err)
		}
		if r := inForce.Rules().Client("b", "x.Y/Z"); (r.Retry != nil) != c.retries || (r.Hedge != nil) != c.hedge {
			t.Errorf("%s: retry %v, hedge %v", c.methods, r.Retry, r.Hedge)
		}
		var got []string
		for _, v := range compiled.Values {
			text := lastName(v.Field) + " " + v.Approximated
			if v.LostTo != nil {
				text += "lost"
			}
			got = append(got, text)
		}
		if all := strings.Join(got, ", "); all != c.want {
			t.Errorf("%s: %q, want %q", c.methods, all, c.want)
		}
	}
}
