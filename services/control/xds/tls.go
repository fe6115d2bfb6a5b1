package xds

import (
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/grpc-sandbox/sandbox/services/control/compile"
	"github.com/grpc-sandbox/sandbox/services/control/identity"
)

// certificateProvider is the name of the certificate provider in the bootstrap of grpc clients.
const certificateProvider = "default"

// grpcTLS returns the credentials for the pods of a service, in the terms of grpc clients, whose certificates come from a provider that their
// bootstrap names.
func grpcTLS(domain string, s compile.Service) *tls.UpstreamTlsContext {
	provider := &tls.CertificateProviderPluginInstance{InstanceName: certificateProvider}
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

// The files of the certificate of a pod, as charts/grpcservice mounts them. Envoy reads them again when the folder changes.
const (
	tlsFolder = "/etc/sandbox/tls"
	tlsCert   = tlsFolder + "/tls.crt"
	tlsKey    = tlsFolder + "/tls.key"
	tlsRoots  = tlsFolder + "/ca.crt"
)

// sidecarTLS returns the credentials of a sidecar, which accepts the given identities only; nil accepts all that the roots have signed.
func sidecarTLS(accepted []*matcher.StringMatcher) *tls.CommonTlsContext {
	folder := &core.WatchedDirectory{Path: tlsFolder}
	context := &tls.CertificateValidationContext{TrustedCa: fromFile(tlsRoots), WatchedDirectory: folder}
	for _, m := range accepted {
		context.MatchTypedSubjectAltNames = append(context.MatchTypedSubjectAltNames, &tls.SubjectAltNameMatcher{SanType: tls.SubjectAltNameMatcher_URI, Matcher: m})
	}
	return &tls.CommonTlsContext{
		TlsParams:             &tls.TlsParameters{TlsMinimumProtocolVersion: tls.TlsParameters_TLSv1_3, TlsMaximumProtocolVersion: tls.TlsParameters_TLSv1_3},
		TlsCertificates:       []*tls.TlsCertificate{{CertificateChain: fromFile(tlsCert), PrivateKey: fromFile(tlsKey), WatchedDirectory: folder}},
		ValidationContextType: &tls.CommonTlsContext_ValidationContext{ValidationContext: context},
		AlpnProtocols:         []string{"h2"},
	}
}

func upstreamTLS(domain string, s compile.Service) *tls.UpstreamTlsContext {
	return &tls.UpstreamTlsContext{CommonTlsContext: sidecarTLS(identities(domain, s))}
}

func downstreamTLS() *tls.DownstreamTlsContext {
	return &tls.DownstreamTlsContext{CommonTlsContext: sidecarTLS(nil), RequireClientCertificate: wrapperspb.Bool(true)}
}

func fromFile(path string) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_Filename{Filename: path}}
}
