package policy

import "github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"

// Matches reports whether a name matches a pattern of a policy, in which * and ? match any characters except a slash. An empty pattern matches
// every name.
func Matches(pat, name string) bool { return pattern.Matches(pat, name) }
