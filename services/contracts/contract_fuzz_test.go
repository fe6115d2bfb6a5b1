package contracts

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzParseContract_RoundTrip checks that a contract can be written and read again without a difference, and that replacing examples by themselves
// changes nothing.
func FuzzParseContract_RoundTrip(f *testing.F) {
	names, err := recorded.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, n := range names {
		data, err := recorded.ReadFile(n.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"interactions": [{"script": [{"send": null}, {"receive": {"a": [1e400, "<"]}}], "match": {"": {"each": true}}}]}`))
	f.Add([]byte(`{"fresh": {"id": "x"}, "interactions": [{"script": [{"receive": {"ids": ["x", "y"]}}]}]}`))
	f.Add([]byte("{}0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseContract("fuzzed", data)
		if err != nil {
			return
		}
		if !json.Valid(data) {
			t.Errorf("accepted something other than one contract: %q", data)
		}
		for n, i := range c.Interactions {
			same := i.with(c.Fresh, Values(c.Fresh))
			for m, move := range i.Script {
				for _, pair := range [][2]json.RawMessage{{move.Send, same.Script[m].Send}, {move.Receive, same.Script[m].Receive}} {
					if !sameJSON(pair[0], pair[1]) {
						t.Errorf("interaction %d: with its own examples, %s became %s", n, pair[0], pair[1])
					}
				}
			}
		}
		written := mustWrite(t, c)
		again, err := parseContract("written", written)
		if err != nil {
			t.Fatalf("the written contract cannot be read: %v\n%s", err, written)
		}
		if got := mustWrite(t, again); string(got) != string(written) {
			t.Errorf("wrote %s, then %s", written, got)
		}
	})
}

// mustWrite returns the JSON of a contract as in its file.
func mustWrite(t *testing.T, c Contract) []byte {
	t.Helper()
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		t.Fatalf("the contract cannot be written: %v", err)
	}
	return data
}

// sameJSON compares two texts as JSON, or as bytes if one of them is not JSON.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return reflect.DeepEqual(x, y)
}

// FuzzMismatches_NoneIfEqual checks that without matchers two messages match, in both directions, if and only if they are equal, that a type matcher
// never adds a problem, and that every problem has a path and a text.
func FuzzMismatches_NoneIfEqual(f *testing.F) {
	const example = `{"user":{"name":"Ada","age":36,"tags":["a","b"],"friends":[{"id":"u-1"}]},"none":null}`
	for _, got := range []string{example, `{"user":{"name":"Bob","age":"36","tags":[],"friends":[{"id":"u-5"},{"id":7}]}}`, `[]`, `null`, strings.Replace(example, "36", "37", 1), `[[{}],1e3]`, `{`} {
		f.Add(example, got, "user.friends", "u-[0-9]+")
		f.Add(got, example, "user.friends[*].id", "[")
	}
	f.Fuzz(func(t *testing.T, example, got, path, pattern string) {
		there, err := mismatches(json.RawMessage(example), json.RawMessage(got), nil)
		if valid := isJSON(example) && isJSON(got); valid != (err == nil) {
			t.Fatalf("both are JSON: %v, but the error is %v", valid, err)
		}
		if err != nil {
			return
		}
		back, err := mismatches(json.RawMessage(got), json.RawMessage(example), nil)
		if err != nil {
			t.Fatal(err)
		}
		if same := sameJSON(json.RawMessage(example), json.RawMessage(got)); same != (len(there) == 0 && len(back) == 0) {
			t.Errorf("equal: %v, but there %v and back %v", same, there, back)
		}
		for name, rule := range map[string]Matcher{"type": {Type: true}, "regex": {Regex: pattern}, "each": {Each: true}} {
			rules := map[string]Matcher{path: rule}
			loosened, err := mismatches(json.RawMessage(example), json.RawMessage(got), rules)
			if err != nil {
				t.Fatal(err)
			}
			if name == "type" && !within(loosened, there) {
				t.Errorf("%s at %q added problems: %v, before %v", name, path, loosened, there)
			}
			for _, p := range slices.Concat(there, loosened) {
				if p.What == "" {
					t.Errorf("a problem at %q without a text", p.Field)
				}
			}
		}
		if _, err := regexp.Compile("^(?:" + pattern + ")$"); err != nil {
			broken, err := mismatches(json.RawMessage(`"a"`), json.RawMessage(`"a"`), map[string]Matcher{"": {Regex: pattern}})
			if err != nil || len(broken) != 1 {
				t.Errorf("a text matches the broken pattern %q: %v, %v", pattern, broken, err)
			}
		}
	})
}

func isJSON(text string) bool {
	var v any
	// json.Valid accepts numbers that are too large for a float64.
	return json.Unmarshal([]byte(text), &v) == nil
}

// within reports whether all of some are in others.
func within(some, others []Problem) bool {
	return !slices.ContainsFunc(some, func(p Problem) bool { return !slices.Contains(others, p) })
}
