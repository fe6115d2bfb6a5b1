package attempts

import (
	"context"
	"crypto/tls"
	"io"
	"strings"
)

const (
	okGRPC = "grpc OK"
	okREST = "rest 200 application/json"
)

// get is a request of REST over HTTP/1.1.
var get = over1(text("GET {get} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}", "Connection: close", "", ""))

// valid are the calls to which the others are compared.
func valid() []Attempt {
	return []Attempt{
		{Name: "valid gRPC call", Certificate: Valid, Want: okGRPC, do: grpcCall()},
		{Name: "valid REST request over HTTP/1.1", Certificate: Valid, Want: okREST, do: get},
		{Name: "valid REST request over HTTP/2", Certificate: Valid, Want: okREST, do: restCall()},
		{Name: "valid gRPC call over TLS 1.2", Certificate: Valid, Want: okGRPC, do: over2(1, unary, tls12)},
	}
}

// identities are calls without the certificate of a partner, in both forms.
func identities() (all []Attempt) {
	for _, row := range []struct {
		kind   Kind
		name   string
		reason string
	}{
		{None, "no certificate", "CERTIFICATE_MISSING"},
		{Foreign, "certificate of another authority with the same name", "CERTIFICATE_NOT_TRUSTED"},
		{SelfSigned, "self-signed certificate with the name of a partner", "CERTIFICATE_NOT_TRUSTED"},
		{Delegated, "certificate that a partner has signed", "CERTIFICATE_NOT_TRUSTED"},
		{ServerOnly, "certificate for servers only", "CERTIFICATE_NOT_TRUSTED"},
		{Mesh, "certificate of the mesh", "CERTIFICATE_NOT_TRUSTED"},
		{Expired, "expired certificate", "CERTIFICATE_EXPIRED"},
		{NotYetValid, "certificate that is not yet valid", "CERTIFICATE_NOT_YET_VALID"},
		{Revoked, "revoked certificate", "CERTIFICATE_REVOKED"},
		{UpperCase, "common name in upper case", "PARTNER_NAME"},
		{TooLong, "common name of 41 characters", "PARTNER_NAME"},
		{TwoParts, "subject with an organization", "PARTNER_NAME"},
		{TwoNames, "two common names", "PARTNER_NAME"},
		{Nameless, "subject without a common name", "PARTNER_NAME"},
	} {
		status, code := "401", "UNAUTHENTICATED"
		if row.reason == "PARTNER_NAME" {
			status, code = "403", "PERMISSION_DENIED"
		}
		all = append(all,
			Attempt{Name: row.name + ", gRPC", Certificate: row.kind, Want: refusedGRPC(code, row.reason), do: grpcCall()},
			Attempt{Name: row.name + ", REST", Certificate: row.kind, Want: refusedREST(status, code, row.reason), do: get})
	}
	return all
}

func refusedGRPC(code, reason string) string { return "grpc " + code + " " + reason }

func refusedREST(status, code, reason string) string {
	return strings.Join([]string{"rest", status, code, reason, "application/problem+json"}, " ")
}

// transport are connections without TLS, or with a TLS that is too old.
func transport() []Attempt {
	malformed := refusedREST("400", "INVALID_ARGUMENT", "BAD_REQUEST")
	return []Attempt{
		{Name: "TLS 1.0", Certificate: Valid, Want: "alert protocol version not supported", do: handshake(tls.VersionTLS10)},
		{Name: "TLS 1.1", Certificate: Valid, Want: "alert protocol version not supported", do: handshake(tls.VersionTLS11)},
		{Name: "TLS 1.2 with a cipher without forward secrecy", Certificate: Valid, Want: "alert handshake failure", do: handshake(tls.VersionTLS12, tls.TLS_RSA_WITH_AES_128_GCM_SHA256)},
		{Name: "plaintext HTTP/1.1", Certificate: None, Want: malformed, do: overPlain(text("GET {get} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}", "Connection: close", "", ""))},
		{Name: "plaintext HTTP/2", Certificate: None, Want: malformed, do: overPlain(text("PRI * HTTP/2.0", "", "SM", "", ""))},
		{Name: "upgrade to plaintext HTTP/2", Certificate: None, Want: malformed, do: overPlain(text("GET {get} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}",
			"Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA", "", ""))},
		{Name: "garbage instead of TLS", Certificate: None, Want: malformed, do: overPlain(func(Target, string) []io.Reader { return []io.Reader{strings.NewReader("\x01\x02\x03\r\n\r\n")} })},
	}
}

func handshake(version uint16, ciphers ...uint16) func(context.Context, Target, Kind) (Outcome, error) {
	return func(ctx context.Context, t Target, kind Kind) (Outcome, error) {
		conn, err := dial(ctx, t, kind, nil, func(c *tls.Config) { c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, ciphers })
		if err != nil {
			return failed(err)
		}
		_ = conn.Close()
		return Outcome{Text: "connected"}, nil
	}
}

// spoofed are calls that claim to come from another partner. They succeed, and the service sees the name in the certificate.
func spoofed() []Attempt {
	return []Attempt{
		{Name: "another partner's name in x-partner, gRPC", Certificate: Valid, Want: okGRPC, do: grpcCall(field{"x-partner", "globex"})},
		{Name: "x-partner twice, gRPC", Certificate: Valid, Want: okGRPC, do: grpcCall(field{"x-partner", "globex"}, field{"x-partner", "initech"})},
		{Name: "x-partner-bin, gRPC", Certificate: Valid, Want: okGRPC, do: grpcCall(field{"x-partner-bin", "Z2xvYmV4"})},
		{Name: "another partner's name in x-partner, REST", Certificate: Valid, Want: okREST, do: restCall(field{"x-partner", "globex"})},
		{Name: "X-PARTNER twice in upper case, REST", Certificate: Valid, Want: okREST, do: over1(text("GET {get} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}",
			"X-PARTNER: globex", "X-PARTNER: initech", "Connection: close", "", ""))},
		{Name: "x_partner with an underscore, REST", Certificate: Valid, Want: okREST, do: over1(text("GET {get} HTTP/1.1", "Host: {host}", "X-Request-Id: {id}",
			"X_Partner: globex", "Connection: close", "", ""))},
		{Name: "x-partner-bin, REST", Certificate: Valid, Want: okREST, do: restCall(field{"x-partner-bin", "Z2xvYmV4"})},
	}
}
