// Package pattern matches the patterns of a policy, in which * and ? match any characters except a slash.
package pattern

import "path"

// Matches reports whether a pattern matches a name. An empty pattern matches everything; a malformed one matches nothing.
func Matches(pattern, name string) bool {
	if pattern == "" || pattern == name {
		return true
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// MatchesAny reports whether one of the patterns matches a name. Empty patterns are ignored.
func MatchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if p != "" && Matches(p, name) {
			return true
		}
	}
	return false
}

// Check returns an error if a pattern is malformed.
func Check(pattern string) error {
	_, err := path.Match(pattern, "")
	return err
}
