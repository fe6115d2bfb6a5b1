package xds

import (
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/identity"
)

// CertificateProvider is the name of the certificate provider in the bootstrap of grpc clients.
const CertificateProvider = "default"

// grpcTLS returns the credentials for the pods of a service, in the terms of grpc clients, whose certificates come from a provider that their
// bootstrap names.
func grpcTLS(domain string, s compile.Service) *tls.UpstreamTlsContext {
	provider := &tls.CertificateProviderPluginInstance{InstanceName: CertificateProvider}
	return &tls.UpstreamTlsContext{CommonTlsContext: &tls.CommonTlsContext{
		TlsCertificateProviderInstance: provider,
		ValidationContextType: &tls.CommonTlsContext_ValidationContext{ValidationContext: &tls.CertificateValidationContext{
			CaCertificateProviderInstance: provider,
			//nolint:staticcheck // grpc-go does not read its successor, match_typed_subject_alt_names.
			MatchSubjectAltNames: identities(domain, s),
		}},
	}}
}

// identities returns the identities of the pods of a service.
func identities(domain string, s compile.Service) (all []*matcher.StringMatcher) {
	for _, account := range s.Accounts {
		all = append(all, &matcher.StringMatcher{MatchPattern: &matcher.StringMatcher_Exact{Exact: identity.Of(domain, s.Namespace, account)}})
	}
	return all
}
