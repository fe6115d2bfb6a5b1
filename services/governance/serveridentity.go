package governance

import (
	"fmt"
	"strings"

	"github.com/grpc-sandbox/sandbox/services/governance/internal/pattern"
)

// identityError means that a server is not one of those whose identities are accepted.
type identityError struct {
	got  string
	want []string
}

// Error names both identities.
func (e *identityError) Error() string {
	if e.got == "" {
		return "the server has no identity, want " + strings.Join(e.want, " or ")
	}
	return fmt.Sprintf("the identity of the server is %s, want %s", e.got, strings.Join(e.want, " or "))
}

// checkServer returns an error unless the server may have an identity, which is empty if it has none. Program and policy can each require one; the policy
// cannot make the program accept another one.
func (c ClientConfig) checkServer(got string) error {
	if c.ServerIdentity != "" && !pattern.Matches(c.ServerIdentity, got) {
		return &identityError{got, []string{c.ServerIdentity}}
	}
	if allow := c.allowedServers(); len(allow) > 0 && (got == "" || !pattern.MatchesAny(allow, got)) {
		return &identityError{got, allow}
	}
	return nil
}

// allowedServers returns the patterns of the policy; nil if the name of the server is enough.
func (c ClientConfig) allowedServers() []string {
	return c.Policy.Rules().Connection(c.Callee).GetServerIdentity().GetAllow()
}
