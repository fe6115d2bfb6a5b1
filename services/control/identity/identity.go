// Package identity reads SPIFFE IDs of workloads in Kubernetes.
package identity

import (
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// Parse returns the namespace and the service account in an ID of the form spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT.
func Parse(id string) (namespace, account string, ok bool) {
	parsed, err := spiffeid.FromString(id)
	if err != nil {
		return "", "", false
	}
	parts := strings.Split(parsed.Path(), "/")
	if len(parts) != 5 || parts[1] != "ns" || parts[3] != "sa" {
		return "", "", false
	}
	return parts[2], parts[4], true
}

// TrustDomain returns the trust domain of an ID; empty if it is not a SPIFFE ID.
func TrustDomain(id string) string {
	parsed, err := spiffeid.FromString(id)
	if err != nil {
		return ""
	}
	return parsed.TrustDomain().Name()
}

// Of returns the ID of a service account.
func Of(domain, namespace, account string) string {
	return "spiffe://" + domain + "/ns/" + namespace + "/sa/" + account
}
