package governance

import (
	"net"
	"net/url"
	"strings"

	"google.golang.org/grpc/resolver"
)

// hostOf returns the host of a target, or "" if it has none: dns:///userservice-headless.shop.svc:8443 has userservice-headless.shop.svc.
func hostOf(target string) string {
	endpoint := target
	if u, err := url.Parse(target); err == nil && resolver.Get(u.Scheme) != nil {
		if strings.HasPrefix(u.Scheme, "unix") {
			// The endpoint is a path.
			return ""
		}
		endpoint = resolver.Target{URL: *u}.Endpoint()
	}
	if host, _, err := net.SplitHostPort(endpoint); err == nil {
		return host
	}
	return endpoint
}
