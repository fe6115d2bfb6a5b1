package governance

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/resolver"

	"github.com/grpc-sandbox/sandbox/internal/remedy"
)

// splitTarget splits a target in the same way as grpc.NewClient. The scheme is empty if the target has none and is only an endpoint.
func splitTarget(target string, resolvers []resolver.Builder) (scheme, endpoint string, err error) {
	known := func(scheme string) bool {
		return resolver.Get(scheme) != nil || slices.ContainsFunc(resolvers, func(b resolver.Builder) bool { return b.Scheme() == scheme })
	}
	u, err := url.Parse(target)
	switch {
	case target == "":
		// For example from an environment variable that is not set.
		return "", "", remedy.New("the target is empty", remedy.Value("dns:///userservice-headless.shop.svc:8443"))
	case err == nil && known(u.Scheme):
		return u.Scheme, resolver.Target{URL: *u}.Endpoint(), nil
	case !strings.Contains(target, "://"):
		return "", target, nil
	case err != nil:
		return "", "", fmt.Errorf("reading the target: %w", err)
	default:
		// gRPC would look up the whole target as a host name, or use a resolver in Options, which would not follow the policy.
		return "", "", remedy.Errorf(remedy.Advice("set ClientConfig.Resolvers to a resolver for it, instead of using grpc.WithResolvers"), "no resolver is known for the scheme %s", u.Scheme)
	}
}

// hostOf returns the host of a target, or "" if it has none.
func hostOf(scheme, endpoint string) string {
	if strings.HasPrefix(scheme, "unix") {
		// The endpoint is a path.
		return ""
	}
	if host, _, err := net.SplitHostPort(endpoint); err == nil {
		return host
	}
	return endpoint
}
