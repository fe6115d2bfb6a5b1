package policy

import (
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
)

// everyMethod is the pattern that matches every method. So does an empty one.
const everyMethod = "*/*"

// Matches reports whether a name matches a pattern of a policy, in which * and ? match any characters except a slash. An empty pattern matches
// every name.
func Matches(pat, name string) bool { return pattern.Matches(pat, name) }

// Covers reports whether every method that matches the second pattern matches the first. It may return false for unusual pairs of patterns.
func Covers(general, special string) bool {
	switch {
	case general == "" || general == special:
		return true
	case special == "":
		return general == everyMethod
	case strings.Contains(special, "*") && strings.Contains(general, "?"):
		return false
	default:
		// A wildcard of special is a character that a wildcard of general must match.
		return Matches(general, special)
	}
}

// Exactness orders patterns by how few methods they match: 0 for every method, 1 with wildcards, 2 for one method.
func Exactness(pat string) int {
	switch {
	case pat == "" || pat == everyMethod:
		return 0
	case strings.ContainsAny(pat, "*?"):
		return 1
	default:
		return 2
	}
}
