package contracts

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// mismatches compares a received message with the example. Both are JSON.
func mismatches(example, got json.RawMessage, rules map[string]Matcher) ([]Problem, error) {
	var want, have any
	if err := json.Unmarshal(example, &want); err != nil {
		return nil, fmt.Errorf("reading the example: %w", err)
	}
	if err := json.Unmarshal(got, &have); err != nil {
		return nil, fmt.Errorf("reading the received message: %w", err)
	}
	m := matching{rules: rules}
	m.compare("", "", want, have)
	return m.found, nil
}

type matching struct {
	rules map[string]Matcher
	found []Problem
}

func (m *matching) miss(path, format string, args ...any) {
	m.found = append(m.found, Problem{strings.TrimPrefix(path, "."), fmt.Sprintf(format, args...)})
}

// compare compares two values. path is the path for people; rule is the same path with [*] for every index, under which matchers are found.
func (m *matching) compare(path, rule string, want, got any) {
	r, has := m.rules[strings.TrimPrefix(rule, ".")]
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		m.miss(path, "is %s, want %s", kind(got), kind(want))
		return
	}
	switch {
	case has && r.Type:
		return
	case has && r.Regex != "":
		text, ok := got.(string)
		if matched, err := regexp.MatchString("^(?:"+r.Regex+")$", text); !ok || err != nil || !matched {
			m.miss(path, "is %v, want a text like %s", got, r.Regex)
		}
		return
	}
	switch want := want.(type) {
	case map[string]any:
		m.object(path, rule, want, got.(map[string]any))
	case []any:
		m.list(path, rule, want, got.([]any), has && r.Each)
	default:
		if want != got {
			m.miss(path, "is %v, want %v", got, want)
		}
	}
}

func (m *matching) object(path, rule string, want, got map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		value, there := got[key]
		if !there {
			m.miss(path+"."+key, "is not there")
			continue
		}
		m.compare(path+"."+key, rule+"."+key, want[key], value)
	}
}

func (m *matching) list(path, rule string, want, got []any, each bool) {
	switch {
	case each && (len(want) == 0 || len(got) == 0):
		m.miss(path, "is empty")
		return
	case !each && len(want) != len(got):
		m.miss(path, "has %d elements, want %d", len(got), len(want))
		return
	}
	for i := range got {
		like := want[0]
		if !each {
			like = want[i]
		}
		m.compare(fmt.Sprintf("%s[%d]", path, i), rule+"[*]", like, got[i])
	}
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	}
	return "a number"
}
