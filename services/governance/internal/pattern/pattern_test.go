package pattern

import "testing"

func TestMatches_Wildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "user.v1.UserService/GetUser", true},
		{"user.v1.UserService/GetUser", "user.v1.UserService/GetUser", true},
		{"user.v1.UserService/Get*", "user.v1.UserService/GetUser", true},
		{"user.v1.UserService/Get????", "user.v1.UserService/GetUser", true},
		{"*/*", "user.v1.UserService/GetUser", true},
		{"*", "user.v1.UserService/GetUser", false},
		{"user.v1.*", "user.v1.UserService/GetUser", false},
		{"[", "[", true},
		{"[", "x", false},
	} {
		if got := Matches(c.pattern, c.name); got != c.want {
			t.Errorf("Matches(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
	if MatchesAny([]string{""}, "x") || !MatchesAny([]string{"y", "x"}, "x") {
		t.Error("in a list, an empty pattern matches nothing")
	}
	if Check("[") == nil || Check("a/*") != nil {
		t.Error("[ is malformed, a/* is not")
	}
}
