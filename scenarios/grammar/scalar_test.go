package grammar

import (
	"fmt"
	"testing"
	"time"

	"github.com/grpc-sandbox/sandbox/sandbox/telemetry"
)

// TestObject_Scalars reads one field: a value and no problem, or a default and a problem.
func TestObject_Scalars(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		read        func(Object) any
		right, want string
		wrong       []string
		fallback    string
	}{
		"Text":             {func(o Object) any { return o.Text("x") }, "a b", "a b", []string{`""`, `"a\0"`, "[a]"}, ""},
		"Name":             {func(o Object) any { return o.Name("x") }, "my-name", "my-name", []string{"My", "a b", "-a"}, ""},
		"Duration":         {func(o Object) any { return o.Duration("x", time.Second) }, "250ms", "250ms", []string{"250", "-1s", "25h"}, "1s"},
		"PositiveDuration": {func(o Object) any { return o.PositiveDuration("x") }, "1m", "1m0s", []string{"0s", "soon"}, "0s"},
		"Percentage":       {func(o Object) any { return o.Percentage("x") }, "99.5%", "99.5%", []string{"0%", "0.5", "101%"}, "0%"},
		"Rate":             {func(o Object) any { return o.Rate("x") }, "90/m", "1.5/s", []string{"90", "0/s"}, "0/s"},
		"Whole":            {func(o Object) any { return o.Whole("x", 1, 7) }, "3", "3", []string{"0", "-1", "2.5", "99999999999"}, "7"},
		"Seed":             {func(o Object) any { return o.Seed("x") }, "18446744073709551615", "18446744073709551615", []string{"-1", "18446744073709551616"}, "1"},
		"Quantile":         {func(o Object) any { return o.Quantile("x") }, "0.99", "0.99", []string{"0", "1", "99", "NaN"}, "0"},
		"OneOf":            {func(o Object) any { return o.OneOf("x", "callers", "callee") }, "callee", "callee", []string{"server"}, ""},
		"State":            {func(o Object) any { return o.State("x") }, "half-open", "half-open", []string{"opened", "[open]"}, ""},
	} {
		o, f := parsed(t, "x: "+c.right, Optional("x", "", "", ""))
		if got := fmt.Sprint(c.read(o)); got != c.want || f.Err() != nil {
			t.Errorf("%s of %s: got %s, %v", name, c.right, got, f.Err())
		}
		for _, wrong := range c.wrong {
			o, f := parsed(t, "x: "+wrong, Optional("x", "", "", ""))
			if got := fmt.Sprint(c.read(o)); got != c.fallback || f.Err() == nil {
				t.Errorf("%s of %s: got %s, %v", name, wrong, got, f.Err())
			}
		}
		o, f = parsed(t, "{}", Optional("x", "", "", ""))
		if got := fmt.Sprint(c.read(o)); got != c.fallback || f.Err() != nil {
			t.Errorf("%s of nothing: got %s, %v", name, got, f.Err())
		}
	}
}

func TestObject_StatesFollowEachOther(t *testing.T) {
	t.Parallel()
	o, f := parsed(t, "x: [closed, open, open, opened, {}]", Optional("x", "", "", ""))
	got := o.States("x")
	if len(got) != 4 || got[1] != telemetry.Open {
		t.Errorf("got %q", got)
	}
	want := "x.yaml:1: x[2]: open follows itself, but a breaker only ever changes state\n" +
		"x.yaml:1: x[3]: unknown breaker state \"opened\"\nx.yaml:1: x[4]: want a breaker state, got fields"
	if problems := problemsOf(f); problems != want {
		t.Errorf("got:\n%s\nwant:\n%s", problems, want)
	}
}

func TestIsMethod_ServiceAndMethod(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{"user.v1.UserService/GetUser": true, "GetUser": false, "a/b/c": false, "a/": false, "/b": false, "": false} {
		if got := IsMethod(in); got != want {
			t.Errorf("%q: %t", in, got)
		}
	}
}
