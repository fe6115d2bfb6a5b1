package contracts

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestMismatches_PathAndReason(t *testing.T) {
	const example = `{"user":{"name":"Ada","age":36,"tags":["a","b"],"friends":[{"id":"u-1"}]}}`
	for _, c := range []struct {
		sentence, got string
		rules         map[string]Matcher
		// want is the one mismatch; empty means none.
		want string
	}{
		{"equal", example, nil, ""},
		{"more fields may be there", `{"user":{"name":"Ada","age":36,"tags":["a","b"],"friends":[{"id":"u-1","x":1}],"new":1},"other":{}}`, nil, ""},
		{"another value", strings.Replace(example, "36", "37", 1), nil, "user.age: is 37, want 36"},
		{"another value of the same type", strings.Replace(example, "36", "37", 1), map[string]Matcher{"user.age": {Type: true}}, ""},
		{"null where a type is wanted", strings.Replace(example, "36", "null", 1), map[string]Matcher{"user.age": {Type: true}}, "user.age: is null, want a number"},
		{"another type", strings.Replace(example, "36", `"36"`, 1), map[string]Matcher{"user.age": {Type: true}}, "user.age: is a text, want a number"},
		{"a text that matches", strings.Replace(example, "Ada", "Bob", 1), map[string]Matcher{"user.name": {Regex: "[A-Z][a-z]+"}}, ""},
		{"a text that matches in part only", strings.Replace(example, "Ada", "Bob2", 1), map[string]Matcher{"user.name": {Regex: "[A-Z][a-z]+"}}, "user.name: is Bob2, want a text like"},
		{"a field that is gone", `{"user":{"name":"Ada","tags":["a","b"],"friends":[{"id":"u-1"}]}}`, nil, "user.age: is not there"},
		{"a list of another length", strings.Replace(example, `["a","b"]`, `["a"]`, 1), nil, "user.tags: has 1 elements, want 2"},
		{"each element like the first", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-5"},{"id":"u-6"}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}, "user.friends[*].id": {Regex: `u-\d+`}}, ""},
		{"one element unlike the first", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-5"},{"id":"x"}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}, "user.friends[*].id": {Regex: `u-\d+`}}, "user.friends[1].id: is x, want a text like"},
		{"an element that lacks a field of the first", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-1"},{}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}}, "user.friends[1].id: is not there"},
		{"an element equal to the first where nothing is loosened", strings.Replace(example, `[{"id":"u-1"}]`, `[{"id":"u-1"},{"id":"u-2"}]`, 1),
			map[string]Matcher{"user.friends": {Each: true}}, "user.friends[1].id: is u-2, want u-1"},
		{"another element of a list", strings.Replace(example, `["a","b"]`, `["a","c"]`, 1), nil, "user.tags[1]: is c, want b"},
		{"a number where a text is to match", strings.Replace(example, `"Ada"`, "7", 1), map[string]Matcher{"user.name": {Regex: ".*"}}, "user.name: is a number, want a text"},
		{"a rule for one path loosens no other", strings.Replace(example, "36", "37", 1), map[string]Matcher{"age": {Type: true}, "user.name": {Type: true}}, "user.age: is 37"},
		{"no element", strings.Replace(example, `[{"id":"u-1"}]`, `[]`, 1), map[string]Matcher{"user.friends": {Each: true}}, "user.friends: is empty"},
	} {
		t.Run(c.sentence, func(t *testing.T) {
			got, err := mismatches(json.RawMessage(example), json.RawMessage(c.got), c.rules)
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Trim(fmt.Sprint(got), "[]"); (c.want == "") != (said == "") || !strings.HasPrefix(said, c.want) || len(got) > 1 {
				t.Errorf("got %q", said)
			}
		})
	}
}
